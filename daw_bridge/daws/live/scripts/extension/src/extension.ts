/** The actions that a right click in Live offers. */
namespace bridge {
  // Filled in where this is installed.
  export const INSTALLED: Installed = { command: JSON.parse("@COMMAND_JSON@"), runtime: JSON.parse("@RUNTIME_JSON@") };
  const NEW_CLIP_S = 4;
  const VARY = 0.3;
  const VARY_TAKES = 3;
  const EVERYTHING: Task[] = ["transfer", "inpaint", "generate", "superres"];

  class Actions {
    private wishes = FIRST_WISHES;
    private stop_count = 0;

    constructor(private readonly live: Live, private readonly service: Service, private readonly storage: Storage) {}

    /** Render for each selected track, and put the takes on lanes below it. */
    async on_selection(selection: ArrangementSelection): Promise<void> {
      const stretches = selected_stretches(this.live, selection);
      const names = stretches.map((stretch) => stretch.track_name).join(", ");
      const has_any = stretches.some((stretch) => has_audio(this.live, stretch));
      const wishes = await this.asked(`Selection on ${names}`, has_any ? EVERYTHING : ["generate"]);
      if (!wishes) return;
      await this.working(wishes.is_background, async (show, is_cancelled) => {
        const requests: Request[] = [], placements: Placement[] = [];
        for (const stretch of stretches) {
          const { material, start } = await stretch_material(this.live, this.storage, stretch, wishes.task);
          requests.push(request_for(wishes, material));
          placements.push({ track: stretch.track, start, end: stretch.end + context_beats(wishes.task), takes: [] });
        }
        const takes = await rendered(this.service, requests, show, is_cancelled);
        if (!takes) return;
        takes.forEach((some, index) => { placements[index].takes = some; });
        await not_losing(takes.flat(), () => place_on_lanes(this.live, title_of(wishes), placements));
      });
    }

    /** Render for a slot of the session, and put the takes into the next empty slots. */
    async on_slot(slot: Handle): Promise<void> {
      const cell = cell_of(this.live, slot);
      const tasks: Task[] = cell.clip ? ["transfer", "superres"] : ["generate"];
      const wishes = await this.asked(`Session slot on ${cell.track_name}`, tasks);
      if (!wishes) return;
      const request = request_for(wishes, cell_material(this.live, cell, wishes.task, NEW_CLIP_S));
      await this.in_slots(cell, request, wishes.is_background);
    }

    /** Render variations of a take from its own recipe, and put them where it is. */
    async on_vary(clip: Handle): Promise<void> {
      const path = this.live.model.audioclipGetFilePath(clip);
      const request = { address: "recall", tags: "sfi", args: [path, VARY, VARY_TAKES] };
      const slot = this.live.above(clip, "ClipSlot");
      if (slot) return this.in_slots(cell_of(this.live, slot), request, false);
      const track = track_above(this.live, clip);
      const start = this.live.model.clipGetStartTime(clip), end = this.live.model.clipGetEndTime(clip);
      return this.working(false, async (show, is_cancelled) => {
        const takes = await rendered(this.service, [request], show, is_cancelled);
        const title = this.live.model.clipGetName(clip);
        if (!takes) return;
        const placements = [{ track, start, end, takes: takes[0] }];
        await not_losing(takes[0], () => place_on_lanes(this.live, title, placements));
      });
    }

    /** Put a take into the track itself, over what is there. */
    async on_use(clip: Handle): Promise<void> {
      if (!this.live.above(clip, "TakeLane")) {
        throw new Refusal("This clip is not on a take lane.", "Right-click a take on a lane below its track.");
      }
      const path = this.live.model.audioclipGetFilePath(clip);
      const start = this.live.model.clipGetStartTime(clip);
      await this.live.as_one_step(() => [this.live.new_track_clip(track_above(this.live, clip), path, start)]);
    }

    /** Cancel what this extension has asked for. */
    async on_stop(): Promise<void> {
      this.stop_count++;
    }

    private async in_slots(cell: Cell, request: Request, is_background: boolean): Promise<void> {
      await this.working(is_background, async (show, is_cancelled) => {
        const takes = await rendered(this.service, [request], show, is_cancelled);
        const left = takes ? await not_losing(takes[0], () => place_in_slots(this.live, cell, takes[0])) : [];
        if (left.length) {
          const where = left.map((take) => take.path).join("\n");
          throw new Refusal(`${left.length} takes had no empty slot below.`, `They are kept: ${where}`);
        }
      });
    }

    private async asked(title: string, tasks: Task[]): Promise<Wishes | null> {
      const task = tasks.includes(this.wishes.task) ? this.wishes.task : tasks[0];
      const wishes = read_wishes(await this.live.shown(wishes_page(title, { ...this.wishes, task }, tasks), 420, 440));
      if (wishes) this.wishes = wishes;
      return wishes;
    }

    private working(
      is_background: boolean,
      work: (show: (text: string, fraction: number) => void, is_cancelled: () => boolean) => Promise<void>,
    ): Promise<void> {
      const before = this.stop_count;
      const is_stopped = () => this.stop_count > before;
      if (is_background) return work(() => undefined, is_stopped);
      return this.live.with_progress("Rendering", (progress) =>
        work((text, fraction) => progress.update(text, fraction), () => progress.is_cancelled || is_stopped()));
    }
  }

  function title_of(wishes: Wishes): string {
    return wishes.task === "superres" ? "highs" : wishes.prompt.trim();
  }

  /** Begin: what Live calls when it loads the extension. */
  export function activate(activation: ActivationContext): void {
    const api = activation.initializeExtensionHost({ apiVersion: API_VERSION });
    const live = new Live(api);
    const actions = new Actions(live, new Service(INSTALLED), new Storage(api.environment));
    live.add_action("AudioTrack.ArrangementSelection", "DAW Bridge: change or make sound ...", "daw-bridge.selection",
      (selection: ArrangementSelection) => actions.on_selection(selection));
    live.add_action("ClipSlot", "DAW Bridge: change or make sound ...", "daw-bridge.slot",
      (slot: Handle) => actions.on_slot(slot));
    live.add_action("AudioClip", "DAW Bridge: vary this take", "daw-bridge.vary", (clip: Handle) => actions.on_vary(clip));
    live.add_action("AudioClip", "DAW Bridge: use this take", "daw-bridge.use", (clip: Handle) => actions.on_use(clip));
    live.add_action("AudioTrack", "DAW Bridge: stop rendering", "daw-bridge.stop", () => actions.on_stop());
    console.log(`DAW Bridge is ready (host API ${activation.hostApiVersion}).`);
  }
}

module.exports = { activate: bridge.activate, bridge, installed: bridge.INSTALLED };
