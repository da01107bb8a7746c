// What an extension of Live gets from its host, API version 1.0.0: the part of it that is used here.
// Names, arguments and results as declared for the Extensions SDK 1.0.0-beta.0 (Live 12.4.5 beta, 2026);
// tests compare this file with the whole declaration, and run the extension against a model that is made from it.
// Times are in beats unless a name says otherwise. Ids are whole numbers beyond what JSON can write.

interface Handle { id: bigint }

interface ArrangementSelection {
  time_selection_start: number;
  time_selection_end: number;
  selected_lanes: Handle[];
}

interface ClipSlotSelection { selected_clip_slots: Handle[] }

interface ClipLoopSettings {
  looping: boolean;
  startMarker: number;
  endMarker: number;
  loopStart: number;
  loopEnd: number;
}

type OnHandle = (handle: Handle) => void;
type OnError = (error?: string) => void;

interface ArrangementClipArguments {
  filePath: string;
  startTime: number;
  duration: number | undefined;
  isWarped: boolean | undefined;
  loopSettings: ClipLoopSettings | undefined;
}

interface SlotClipArguments {
  filePath: string;
  isWarped: boolean | undefined;
  loopSettings: ClipLoopSettings | undefined;
}

interface DataModel {
  getObjectIsOfClass(handle: Handle, className: string): boolean;
  getObjectCanonicalParent(handle: Handle): Handle | null;
  getRoot(): Handle;
  rootGetSong(handle: Handle): Handle;
  songGetTempo(handle: Handle): number;
  songGetTracks(handle: Handle): Handle[];
  trackGetName(handle: Handle): string;
  trackGetGroupTrack(handle: Handle): Handle | null;
  trackGetClipSlots(handle: Handle): Handle[];
  trackGetTakeLanes(handle: Handle): Handle[];
  trackGetArrangementClips(handle: Handle): Handle[];
  trackCreateTakeLane(handle: Handle, onResult: OnHandle, onError: OnError): void;
  trackCreateAudioClip(handle: Handle, args: ArrangementClipArguments, onResult: OnHandle, onError: OnError): void;
  withinTransaction<T>(fn: () => T): T;
  clipGetName(handle: Handle): string;
  clipGetStartTime(handle: Handle): number;
  clipGetEndTime(handle: Handle): number;
  audioclipGetFilePath(handle: Handle): string;
  audioclipGetWarping(handle: Handle): boolean;
  clipslotGetClip(handle: Handle): Handle | null;
  clipslotCreateAudioClip(handle: Handle, args: SlotClipArguments, onResult: OnHandle, onError: OnError): void;
  takelaneGetClips(handle: Handle): Handle[];
  takelaneGetName(handle: Handle): string;
  takelaneSetName(handle: Handle, value: string): void;
  takelaneCreateAudioClip(handle: Handle, args: ArrangementClipArguments, onResult: OnHandle, onError: OnError): void;
}

interface Commands {
  registerCommand(commandId: string, callback: (...args: unknown[]) => void): void;
}

interface ProgressDialog {
  update(options: { text: string; progress?: number }, onUpdated?: () => void): void;
  close(onClosed?: () => void): void;
}

interface Ui {
  registerContextMenuAction(
    scope: string,
    title: string,
    commandId: string,
    onRegisterSuccessful: (unregisterAction: (onUnregisterSuccessful: () => void) => void) => void,
  ): void;
  showModalDialog(url: string, width: number, height: number, onResult: (content: string) => void, onError: OnError): void;
  showProgressDialog(
    options: { text: string; progress?: number },
    onShowDialog: (dialog: ProgressDialog) => void,
    onCancelled: () => void,
  ): void;
}

interface Resources {
  renderPreFxAudio(
    lane: Handle,
    args: { startTime: number; endTime: number },
    onResult: (path: string) => void,
    onError: OnError,
  ): void;
  importIntoProject(filePath: string, onResult: (importedPath: string) => void, onError: OnError): void;
}

interface Environment { storageDirectory?: string; tempDirectory?: string }

interface HostApi {
  commands: Commands;
  dataModel: DataModel;
  environment: Environment;
  resources: Resources;
  ui: Ui;
}

interface ActivationContext {
  hostApiVersion: string;
  initializeExtensionHost(options: { apiVersion: string }): HostApi;
}
