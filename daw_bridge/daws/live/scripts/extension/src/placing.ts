/** Takes put back where their region is: on take lanes of its track, or in the slots below. */
namespace bridge {
  export interface Placement { track: Handle; start: number; end: number; takes: Take[] }

  const OWN = "DAW Bridge: ";

  /** Return the name of a take's lane, by which it is told from the user's own lanes later. */
  export function lane_name(title: string, take: Take): string {
    const score = take.score === null ? "" : `, ${take.score.toFixed(2)}`;
    const dry = take.note ? `, ${take.note}` : "";
    return `${OWN}${title}${score}, seed ${take.seed}${dry}`;
  }

  /** Do something with takes; where Live refuses it, what it says tells too where the takes are kept. */
  export async function not_losing<T>(takes: Take[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const where = takes.map((take) => take.path).join("\n");
      throw new Refusal(error.message, `${error.hint} The takes are kept: ${where}`.trim(), error.code);
    }
  }

  /**
   * Put takes on lanes of their tracks, each at the exact beat, in one undo step.
   *
   * Lanes of earlier takes that are free there are used again. Where lanes are missing they are made first,
   * which is an undo step of its own: Live groups only what can begin at once.
   */
  export async function place_on_lanes(live: Live, title: string, placements: Placement[]): Promise<void> {
    const paths = new Map<Take, string>();
    for (const take of placements.flatMap((placement) => placement.takes)) {
      paths.set(take, await live.imported(take.path));
    }
    const lanes = await lanes_for(live, placements);
    await live.as_one_step(() => placements.flatMap((placement, at) => placement.takes.map((take, index) => {
      live.model.takelaneSetName(lanes[at][index], lane_name(title, take));
      return live.new_lane_clip(lanes[at][index], paths.get(take) ?? take.path, placement.start);
    })));
  }

  async function lanes_for(live: Live, placements: Placement[]): Promise<Handle[][]> {
    const lanes = placements.map((placement) => free_lanes(live, placement));
    const missing = placements.map((placement, at) => Math.max(0, placement.takes.length - lanes[at].length));
    if (!missing.some((count) => count > 0)) return lanes;
    await live.as_one_step(() => placements.flatMap((placement, at) =>
      Array.from({ length: missing[at] }, () => live.new_lane(placement.track).then((lane) => lanes[at].push(lane)))));
    return lanes;
  }

  // Own ones with room there, and those that hold nothing, as an undone placement leaves them.
  function free_lanes(live: Live, placement: Placement): Handle[] {
    return live.model.trackGetTakeLanes(placement.track).filter((lane) => {
      const clips = live.model.takelaneGetClips(lane);
      const is_own = live.model.takelaneGetName(lane).startsWith(OWN);
      return !clips.length || (is_own && !clips.some((clip) => overlaps(live, clip, placement)));
    });
  }

  /** Put takes into the next empty slots of a cell's track, in one undo step; returns those that had no room. */
  export async function place_in_slots(live: Live, cell: Cell, takes: Take[]): Promise<Take[]> {
    const slots = live.model.trackGetClipSlots(cell.track);
    const first = slots.findIndex((slot) => slot.id === cell.slot.id);
    const empty = slots.slice(first).filter((slot) => !live.model.clipslotGetClip(slot));
    const placed = takes.slice(0, empty.length);
    const paths: string[] = [];
    for (const take of placed) paths.push(await live.imported(take.path));
    if (paths.length) {
      await live.as_one_step(() => paths.map((path, index) => live.new_slot_clip(empty[index], path, undefined)));
    }
    return takes.slice(empty.length);
  }
}
