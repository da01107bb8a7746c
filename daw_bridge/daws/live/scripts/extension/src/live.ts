/** Live, as this extension asks it: its callbacks as promises, its refusals as sentences. */
namespace bridge {
  export const API_VERSION = "1.0.0";

  export class Live {
    readonly model: DataModel;

    constructor(private readonly api: HostApi) {
      this.model = api.dataModel;
    }

    get song(): Handle {
      return this.model.rootGetSong(this.model.getRoot());
    }

    get tempo_bpm(): number {
      return this.model.songGetTempo(this.song);
    }

    is(handle: Handle, ...class_names: string[]): boolean {
      return class_names.some((name) => this.model.getObjectIsOfClass(handle, name));
    }

    /** Return the nearest of an object and its parents that is of a class; null where none is. */
    above(handle: Handle, ...class_names: string[]): Handle | null {
      for (let one: Handle | null = handle; one; one = this.model.getObjectCanonicalParent(one)) {
        if (this.is(one, ...class_names)) return one;
      }
      return null;
    }

    /** Let an action of a context menu run a task; what it throws is shown to the user. */
    add_action(scope: string, title: string, id: string, task: (argument: never) => Promise<void>): void {
      this.api.commands.registerCommand(id, (argument) => {
        task(argument as never).catch((error) => this.show_trouble(error));
      });
      this.api.ui.registerContextMenuAction(scope, title, id, () => undefined);
    }

    rendered(lane: Handle, startTime: number, endTime: number): Promise<string> {
      const refused = "Live cannot render this selection.";
      const hint = "Select a range on an audio track; groups and MIDI tracks have no audio of their own: freeze and flatten, or resample them.";
      return asked(refused, hint, (resolve, reject) =>
        this.api.resources.renderPreFxAudio(lane, { startTime, endTime }, resolve, reject));
    }

    imported(path: string): Promise<string> {
      return asked(`Live cannot copy ${path} into the project.`, "Save the Live Set, then try again.", (resolve, reject) =>
        this.api.resources.importIntoProject(path, resolve, reject));
    }

    new_lane(track: Handle): Promise<Handle> {
      return asked("Live adds no take lane to this track.", "Is the track frozen?", (resolve, reject) =>
        this.model.trackCreateTakeLane(track, resolve, reject));
    }

    new_lane_clip(lane: Handle, filePath: string, startTime: number): Promise<Handle> {
      const args = { filePath, startTime, duration: undefined, isWarped: false, loopSettings: undefined };
      return asked("Live puts no clip on the take lane.", "Is the track frozen or being recorded?", (resolve, reject) =>
        this.model.takelaneCreateAudioClip(lane, args, resolve, reject));
    }

    new_track_clip(track: Handle, filePath: string, startTime: number): Promise<Handle> {
      const args = { filePath, startTime, duration: undefined, isWarped: false, loopSettings: undefined };
      return asked("Live puts no clip on this track.", "Is the track frozen or being recorded?", (resolve, reject) =>
        this.model.trackCreateAudioClip(track, args, resolve, reject));
    }

    new_slot_clip(slot: Handle, filePath: string, loopSettings: ClipLoopSettings | undefined): Promise<Handle> {
      const args = { filePath, isWarped: false, loopSettings };
      return asked("Live puts no clip into this slot.", "Is it on an audio track, and empty?", (resolve, reject) =>
        this.model.clipslotCreateAudioClip(slot, args, resolve, reject));
    }

    /** Start changes so that undo takes all of them back at once; changes that wait for others cannot join. */
    as_one_step<T>(changes: () => Promise<T>[]): Promise<T[]> {
      return this.model.withinTransaction(() => Promise.all(changes()));
    }

    /** Show a page and return what it sends; empty where the user closed it. */
    shown(html: string, width: number, height: number): Promise<string> {
      return new Promise((resolve) => {
        const url = `data:text/html;charset=utf-8,${encodeURIComponent(html)}`;
        this.api.ui.showModalDialog(url, width, height, (content) => resolve(content ?? ""), () => resolve(""));
      });
    }

    /** Show how far something is while it runs; it asks is_cancelled whether the user wants it to stop. */
    async with_progress<T>(text: string, work: (progress: Progress) => Promise<T>): Promise<T> {
      const progress = new Progress();
      this.api.ui.showProgressDialog({ text, progress: 0 }, (dialog) => progress.show(dialog), () => progress.cancel());
      try {
        return await work(progress);
      } finally {
        progress.close();
      }
    }

    show_trouble(error: unknown): Promise<string> {
      console.error(`DAW Bridge: ${error instanceof Error ? error.stack : error}`);
      const refusal = error instanceof Refusal ? error : new Refusal("DAW Bridge failed in a way nobody foresaw.", String(error));
      return this.shown(message_page(refusal.message, refusal.hint), 420, 200);
    }
  }

  /** A progress dialog, shown or not yet, that only ever goes forward. */
  export class Progress {
    is_cancelled = false;
    private dialog: ProgressDialog | null = null;
    private is_closed = false;
    private percent = 0;

    show(dialog: ProgressDialog): void {
      this.dialog = dialog;
      if (this.is_closed) dialog.close();
    }

    update(text: string, fraction: number): void {
      this.percent = Math.max(this.percent, Math.round(100 * fraction));
      if (!this.is_closed) this.dialog?.update({ text, progress: this.percent });
    }

    cancel(): void {
      this.is_cancelled = true;
    }

    close(): void {
      if (!this.is_closed) this.dialog?.close();
      this.is_closed = true;
    }
  }

  function asked<T>(
    refused: string,
    hint: string,
    ask: (resolve: (value: T) => void, reject: (error?: string) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      ask(resolve, (error) => reject(new Refusal(error ? `${refused} It says: ${error}` : refused, hint)));
    });
  }
}
