// Sounds from words, and from Buffers with words: asks the service of DAW Bridge on this machine.
DAWBridge {
	classvar <>host = "127.0.0.1";
	// nil: where the service's own file says that it is.
	classvar <>port;
	// Whether a service is started where none answers.
	classvar <>startsService = true;
	// Called with an error that no onError of its own has taken.
	classvar <>onError;
	classvar <jobs;
	classvar startedAt, stoppedOnPurpose = false, listener, counter = 0, session;

	*initClass {
		jobs = Set.new;
		// sclang has the same port each time: an old rid would get its old answer.
		session = "sc-%-%".format(thisProcess.pid, (Date.getDate.rawSeconds % 1e6).asInteger);
		onError = { |error| "DAW Bridge: %".format(error.errorString).warn };
	}

	*generate { |prompt, seconds = 4, options, action, onProgress, onError, buffer, server|
		^DAWBridgeJob("generate", this.atRate(server ? buffer.tryPerform(\server) ? Server.default, options), action, onProgress, onError, buffer, server)
		.begin([(prompt ? "").asString, seconds.asFloat])
	}

	*transfer { |source, prompt, strength = 0.7, options, action, onProgress, onError, buffer, server, startFrame = 0, numFrames = -1|
		^DAWBridgeJob("transfer", options, action, onProgress, onError, buffer, server)
		.beginWith(source, startFrame, numFrames, [(prompt ? "").asString, strength.asFloat])
	}

	*inpaint { |source, prompt, mask, options, action, onProgress, onError, buffer, server, startFrame = 0, numFrames = -1|
		^DAWBridgeJob("inpaint", options, action, onProgress, onError, buffer, server)
		.beginWith(source, startFrame, numFrames, [(prompt ? "").asString, this.maskText(mask)])
	}

	*superres { |source, options, action, onProgress, onError, buffer, server, startFrame = 0, numFrames = -1|
		^DAWBridgeJob("superres", options, action, onProgress, onError, buffer, server)
		.beginWith(source, startFrame, numFrames, [])
	}

	*recall { |take, vary = 0, takes = 1, options, action, onProgress, onError, buffer, server|
		var path = if(take.isKindOf(DAWBridgeTake)) { take.path } { take.asString.standardizePath };
		^DAWBridgeJob("recall", options, action, onProgress, onError, buffer, server)
		.beginRecall(path, vary.asFloat, takes.asInteger)
	}

	*cancel {
		jobs.copy.do(_.cancel)
	}

	*isRunning { |action|
		var isAnswered = false, rid = this.newRid;
		var answer = OSCFunc({ |msg|
			if(msg[1].asString == rid) { isAnswered = true; answer.free; action.value(true) };
		}, '/ldm/1/pong');
		this.address !? { |there| there.sendMsg("/ldm/1/ping", rid) };
		SystemClock.sched(1.0, { if(isAnswered.not) { answer.free; action.value(false) }; nil });
	}

	// Any request of the OSC reference: its name without /ldm/1/, its arguments after the rid.
	*request { |name, args, action, onError|
		^DAWBridgeRequest(name, args ? [], action, { |error| (onError ? this.onError).value(error) }).send
	}

	// Where the service is; nil while one that belongs to this user is still to come.
	*address {
		var found = port ? this.toldPort;
		if(found.isNil and: { startsService.not }) { found = 9000 };
		^found !? { NetAddr(host, found) }
	}

	*newRid {
		counter = counter + 1;
		^"%-%".format(session, counter)
	}

	*exchangeFile {
		var folder = DAWBridgeInstalled.folder +/+ "supercollider-%".format(session);
		File.mkdir(folder);
		counter = counter + 1;
		^folder +/+ "region-%.wav".format(counter)
	}

	*start {
		var now = Main.elapsedTime;
		if(startsService.not or: { DAWBridgeInstalled.startCommand.isEmpty }) { ^false };
		// It takes a few seconds to come up, and a second one at its side would end at once.
		if(startedAt.isNil or: { now - startedAt > 20 }) {
			startedAt = now;
			DAWBridgeInstalled.startCommand.unixCmd({}, false);
		};
		^true
	}

	// Whether a job may start a service that has gone: not one that somebody has ended on purpose.
	*mayRestart {
		^stoppedOnPurpose.not
	}

	*listen {
		listener ?? {
			listener = OSCFunc({ stoppedOnPurpose = true }, '/ldm/1/engine/ending').permanent_(true);
		};
	}

	*heard {
		stoppedOnPurpose = false;
		startedAt = nil;
	}

	*toldPort {
		var told, file = DAWBridgeInstalled.serviceFile;
		if(File.exists(file).not) { ^nil };
		told = File.readAllString(file).findRegexp("\"udp_port\": *([0-9]+)");
		^if(told.size > 1) { told[1][1].asInteger }
	}

	// At the server's rate, so that a Buffer plays as fast as it should without BufRateScale.
	*atRate { |server, options|
		var rate = server.sampleRate;
		if(rate.isNil) { ^options };
		^(sample_rate_hz: rate.asInteger).putAll(options ? ())
	}

	*maskText { |mask|
		// The service says what is wrong with none.
		if(mask.isNil or: { mask.isKindOf(SequenceableCollection) and: { mask.isEmpty } }) { ^"{\"shapes\":[]}" };
		if(mask.isString or: { mask.isKindOf(Symbol) }) { ^mask.asString };
		if(mask.isKindOf(Dictionary)) { ^DAWBridgeJson.of(mask) };
		// Rectangles: [from, to] in seconds, or [from, to, low, high] with a band in Hz.
		if(mask[0].isKindOf(SimpleNumber)) { mask = [mask] };
		^DAWBridgeJson.of((shapes: mask.collect { |each| this.rectangle(each) }))
	}

	*rectangle { |edges|
		var rectangle = (shape: "rect", span: (start_s: edges[0], end_s: edges[1]));
		edges[2] !? { |low| rectangle[\low_hz] = low };
		edges[3] !? { |high| rectangle[\high_hz] = high };
		^rectangle
	}
}

// A request that is sent again until its one answer comes, and starts a service where there is none.
DAWBridgeRequest {
	const <interval = 0.5, <quietTries = 3, <patience = 45.0;
	var name, args, action, onError, <>starts = true, rid, answers, routine, isSettled = false;

	*new { |name, args, action, onError|
		^super.newCopyArgs(name, args, action, onError)
	}

	send {
		rid = DAWBridge.newRid;
		// In the order of likelihood: one of them answers, and with it all go.
		answers = ['/ldm/1/accepted', '/ldm/1/done', '/ldm/1/fail', '/ldm/1/pong'].collect { |path|
			OSCFunc({ |msg| if(msg[1].asString == rid) { this.settle(path, msg) } }, path).permanent_(true)
		};
		routine = Routine { this.repeat }.play(SystemClock);
		CmdPeriod.add(this);
	}

	// Cmd-period stops all routines, but what was asked for is still wanted.
	cmdPeriod {
		if(isSettled.not) { routine = Routine { this.repeat }.play(SystemClock) };
	}

	stop {
		isSettled = true;
		answers.do(_.free);
		routine.stop;
		CmdPeriod.remove(this);
	}

	repeat {
		var tries = 0, until = Main.elapsedTime + patience;
		while { isSettled.not and: { Main.elapsedTime < until } } {
			// The longest packet that it can take: answers may hold a whole spec.
			DAWBridge.address !? { |address|
				address.sendMsg("/ldm/1/notify", rid ++ "n", 1, 0, 65000);
				address.sendMsg("/ldm/1/" ++ name, rid, *args);
			};
			interval.wait;
			tries = tries + 1;
			if(isSettled.not and: { tries >= quietTries } and: { this.wakes.not }) { until = 0 };
		};
		if(isSettled.not) { this.giveUp };
	}

	wakes {
		^starts and: { DAWBridge.mayRestart } and: { DAWBridge.start }
	}

	giveUp {
		this.stop;
		onError.value(DAWBridgeError(
			"no_service",
			if(DAWBridge.address.isNil) { "the service of DAW Bridge does not start" } {
				"no service of DAW Bridge answers at % port %".format(DAWBridge.host, DAWBridge.address.port)
			},
			"Run in a terminal: " ++ DAWBridgeInstalled.startCommand
		));
	}

	settle { |path, msg|
		if(isSettled) { ^this };
		this.stop;
		DAWBridge.heard;
		if(path == '/ldm/1/fail') {
			onError.value(DAWBridgeError(msg[2].asString, msg[3].asString, (msg[4] ? "").asString));
		} {
			action.value(*msg.drop(2));
		};
	}
}

DAWBridgeError : Error {
	var <code, <sentence, <hint;

	*new { |code, sentence, hint = ""|
		^super.new("%: %. %".format(code, if(sentence.last == $.) { sentence.drop(-1) } { sentence }, hint))
		.initError(code, sentence, hint)
	}

	initError { |argCode, argSentence, argHint|
		code = argCode;
		sentence = argSentence;
		hint = argHint;
	}

	errorString {
		^what
	}
}

DAWBridgeJson {
	*of { |value|
		^case
		{ value.isNil } { "null" }
		{ value.isKindOf(Boolean) } { value.asString }
		{ value.isKindOf(Integer) } { value.asString }
		{ value.isKindOf(Float) } { this.number(value) }
		{ value.isKindOf(Dictionary) } { this.object(value) }
		{ value.isString or: { value.isKindOf(Symbol) } } { this.text(value.asString) }
		{ value.isKindOf(SequenceableCollection) } { "[%]".format(value.collect { |each| this.of(each) }.join(",")) }
		{ Error("DAW Bridge: % is nothing that JSON can say".format(value)).throw }
	}

	*number { |value|
		if(value.isNaN or: { value.abs == inf }) { Error("DAW Bridge: % is no number".format(value)).throw };
		// sclang's whole numbers end at 32 bits; a Float tells larger seeds exactly, up to 53 bits.
		^if(value.frac == 0 and: { value.abs < 1e16 }) { this.whole(value) } { value.asStringPrec(17) }
	}

	*whole { |value|
		var digits = "", left = value.abs;
		if(left == 0) { ^"0" };
		while { left > 0 } {
			digits = (left % 10).asInteger.asString ++ digits;
			left = (left / 10).floor;
		};
		^if(value < 0) { "-" ++ digits } { digits }
	}

	*object { |value|
		var pairs = value.keys.asArray.sort.collect { |key| "%:%".format(this.text(key.asString), this.of(value[key])) };
		^"{%}".format(pairs.join(","))
	}

	*text { |value|
		var escaped = value.collectAs({ |char| this.escaped(char) }, Array).join;
		^"\"%\"".format(escaped)
	}

	*escaped { |char|
		^case
		{ char == $\" } { "\\\"" }
		{ char == $\\ } { "\\\\" }
		{ char.ascii >= 0 and: { char.ascii < 32 } } { "\\u00" ++ char.ascii.asHexString(2) }
		{ char.asString }
	}
}
