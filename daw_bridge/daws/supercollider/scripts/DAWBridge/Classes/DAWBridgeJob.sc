// A sound that was asked for: what has become of it, its takes, and the Buffer that the best of them is in.
DAWBridgeJob {
	const <silence = 3.0;
	var <kind, <options, <action, <onProgress, <onError, <buffer, <server;
	// waiting: not accepted yet; then as the service tells: queued, running, finished, failed, cancelled.
	var <state = \waiting, <fraction = 0.0, <eta, <stage = "", <id, <takes, <error;
	var responders, watcher, heardAt, isCancelled = false, isOver = false, isLoading = false, asked = 0, condition;

	*new { |kind, options, action, onProgress, onError, buffer, server|
		^super.newCopyArgs(kind, options ? (), action, onProgress, onError, buffer, server).initJob
	}

	initJob {
		server = server ? buffer.tryPerform(\server) ? Server.default;
		takes = [];
		condition = Condition { isOver };
		responders = [];
		heardAt = Main.elapsedTime;
		DAWBridge.listen;
		DAWBridge.jobs.add(this);
	}

	isDone { ^isOver }

	// In a Routine: wait until the Buffer is filled, or the error known.
	wait {
		condition.wait;
		^this
	}

	cancel {
		if(isOver or: { isCancelled }) { ^this };
		isCancelled = true;
		if(id.notNil) { DAWBridge.request("cancel", [id], {}, { |problem| this.fail(problem) }) };
	}

	// Another take into a Buffer, by its rank from 0: the one given, or a new one.
	load { |index = 0, into, action|
		if(takes[index].isNil) {
			(onError ? DAWBridge.onError).value(DAWBridgeError("bad_args",
				"there is no take % among %".format(index, takes.size), "The best one is 0."), this);
			^into
		};
		^takes[index].load(into, action, server)
	}

	begin { |args|
		this.submit(args ++ this.prEnding)
	}

	beginRecall { |path, vary, number|
		this.submit([path, vary, number, this.prOption(\source, "")] ++ this.prPlace)
	}

	beginWith { |source, startFrame, numFrames, args|
		if(source.isNil) {
			^this.fail(DAWBridgeError("bad_args", "there is nothing to send", "Give a Buffer, or the path of a file."))
		};
		if(source.isKindOf(Buffer).not) {
			^this.begin([source.asString.standardizePath] ++ args)
		};
		this.prWritten(source, startFrame, numFrames) { |path| this.begin([path] ++ args) };
	}

	prWritten { |source, startFrame, numFrames, action|
		var path = DAWBridge.exchangeFile;
		if(source.server.isLocal.not) {
			this.fail(DAWBridgeError("path_denied", "the server of this Buffer runs on another machine",
				"Write the Buffer to a file there, and give that file's path as this machine sees it."));
			^this
		};
		if(source.bufnum.isNil) {
			this.fail(DAWBridgeError("io_missing", "this Buffer has been freed", "Send one that holds a sound."));
			^this
		};
		forkIfNeeded {
			source.write(path, "WAV", "float", numFrames, startFrame);
			source.server.sync;
			if(File.exists(path)) { action.value(path) } {
				this.fail(DAWBridgeError("io_missing", "the Buffer could not be written to " ++ path,
					"Is the server running, and has the Buffer been allocated?"))
			};
		};
	}

	prEnding {
		^[DAWBridgeJson.of(options.reject { |value, key| #[\priority, \slot, \folder, \stem, \source].includes(key) })]
		++ this.prPlace
	}

	prPlace {
		^[this.prOption(\priority, 0), this.prOption(\slot, ""),
			this.prOption(\folder, "").standardizePath, this.prOption(\stem, "")]
	}

	prOption { |key, default|
		^(options[key] ? default).perform(if(default.isString) { \asString } { \asInteger })
	}

	submit { |args|
		DAWBridgeRequest(kind, args,
			{ |jobId| this.accept(jobId.asString) }, { |problem| this.fail(problem) }
		).send;
		^this
	}

	accept { |jobId|
		id = jobId;
		state = \queued;
		responders = #[\state, \progress, \take, \done, \fail].collect { |event|
			OSCFunc({ |msg| this.hear(event, msg.drop(1)) }, "/ldm/1/job/%/%".format(id, event)).permanent_(true)
		};
		if(isCancelled) { isCancelled = false; this.cancel };
		CmdPeriod.add(this);
		this.cmdPeriod;
	}

	// Cmd-period stops all routines, but the service works on.
	cmdPeriod {
		watcher = Routine {
			// Between the answer and these responders an event may have passed by.
			this.prWatch;
			loop { silence.wait; if(Main.elapsedTime - heardAt > silence) { this.prWatch } };
		}.play(SystemClock);
	}

	prWatch {
		var ask = DAWBridgeRequest("job/watch", [id], {}, { |problem|
			// Without an answer there is hope yet; the service saying no is an end.
			if(problem.code != "no_service") { this.fail(problem) } { state = \waiting };
		});
		ask.starts = DAWBridge.mayRestart;
		ask.send;
	}

	hear { |event, args|
		heardAt = Main.elapsedTime;
		if(isOver) {
			if(event == \done or: { event == \fail }) { this.prAcknowledge };
			^this
		};
		switch(event)
		{ \state } { this.prState(args[1].asSymbol) }
		{ \progress } { this.prProgress(args) }
		{ \take } { this.prTake(args) }
		{ \done } { this.prDone(args) }
		{ \fail } { this.fail(DAWBridgeError(args[1].asString, args[2].asString, (args[3] ? "").asString)) };
	}

	prState { |new|
		// Taken up again after the service has died: all takes are made anew.
		if(new == \running and: { state == \waiting }) { takes = [] };
		state = new;
	}

	prProgress { |args|
		fraction = args[3];
		eta = args[4];
		stage = args[5].asString;
		onProgress.value(fraction, this);
	}

	prTake { |args|
		var take = DAWBridgeTake(args);
		takes = takes.reject { |one| one.digest == take.digest }.add(take).sort { |a, b| a.index < b.index };
	}

	prDone { |args|
		this.prAcknowledge;
		if(takes.size < args[1] and: { asked < 3 }) {
			// One was lost on the way; of a job that was interrupted some may be counted twice.
			asked = asked + 1;
			^this.prWatch
		};
		if(isLoading) { ^this };
		isLoading = true;
		takes[0].load(buffer, { |filled| buffer = filled; this.prFinish }, server, { |problem| this.fail(problem) });
	}

	prFinish {
		state = \finished;
		fraction = 1.0;
		this.prEnd;
		action.value(buffer, this);
	}

	fail { |problem|
		if(isOver) { ^this };
		error = problem;
		state = if(problem.code == "cancelled") { \cancelled } { \failed };
		if(id.notNil) { this.prAcknowledge };
		this.prEnd;
		(onError ? DAWBridge.onError).value(problem, this);
	}

	prAcknowledge {
		DAWBridge.address !? { |there| there.sendMsg("/ldm/1/job/ack", DAWBridge.newRid, id) };
	}

	prEnd {
		isOver = true;
		watcher.stop;
		CmdPeriod.remove(this);
		DAWBridge.jobs.remove(this);
		// The end comes again until the service knows that it was heard.
		SystemClock.sched(5.0, { responders.do(_.free); nil });
		condition.unhang;
	}

	printOn { |stream|
		stream << "DAWBridgeJob(" << kind << ", " << state << ", " << (fraction * 100).round.asInteger << " %)"
	}
}

DAWBridgeTake {
	// score: likeness to the prompt, less penalties. dry: why its effects are missing, if they are.
	// seed: an Integer, or where it needs more than 32 bits its digits as a String.
	var <index, <path, <score, <numFrames, <digest, <dry, <note, <seed;

	*new { |args|
		// seq, index, path, clap_score, peak_db, rms_db, length_samples, spec_digest, score, dry, note, seed
		^super.newCopyArgs(args[1], args[2].asString, args[8], args[6], args[7].asString,
			args[9].asString, args[10].asString, args[11]).initSeed
	}

	initSeed {
		// sclang reads no 64-bit numbers; the recipe beside the take has them in full.
		var recipe = PathName(path).pathOnly +/+ PathName(path).fileNameWithoutExtension ++ ".json";
		if(seed.isKindOf(Integer).not and: { File.exists(recipe) }) {
			seed = File.readAllString(recipe).findRegexp("\"seed\": *([0-9]+)")[1][1];
		};
	}

	// Exactly as long as the file; a Buffer that is given is resized where it has another length.
	load { |into, action, server, onError|
		var buffer = into ? Buffer(server ? Server.default);
		if(buffer.server.serverRunning.not) {
			(onError ? DAWBridge.onError).value(DAWBridgeError("io_missing", "the server % is not running".format(buffer.server.name),
				"Boot it; the take is in " ++ path));
			^buffer
		};
		buffer.doOnInfo_({ |filled| action.value(filled) }).cache;
		buffer.allocRead(path, 0, -1, { |one| ["/b_query", one.bufnum] });
		^buffer
	}

	printOn { |stream|
		stream << "DAWBridgeTake(" << index << ", " << path << ", score " << score << ", seed " << seed << ")"
	}
}
