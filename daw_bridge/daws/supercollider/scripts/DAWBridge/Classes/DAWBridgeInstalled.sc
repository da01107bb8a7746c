// Where this was installed for: written by daw-bridge install-scripts.
DAWBridgeInstalled {
	*version { ^@VERSION@ }
	*startCommand { ^@START@ }
	*serviceFile { ^@SERVICE@ }
	*folder { ^@FOLDER@ }
}
