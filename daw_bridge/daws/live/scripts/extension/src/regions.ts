/** What is selected in Live, and the audio of it. */
namespace bridge {
  /** A stretch of a track in the arrangement, in beats. */
  export interface Stretch { track: Handle; track_name: string; start: number; end: number }

  /** A place in the session: a slot of a track, and the clip in it if there is one. */
  export interface Cell { track: Handle; track_name: string; slot: Handle; clip: Handle | null }

  const SHORTEST_BEATS = 1e-6;

  /** Return the selected stretches, one for each audio track; throws a Refusal where there are none. */
  export function selected_stretches(live: Live, selection: ArrangementSelection): Stretch[] {
    const start = selection.time_selection_start, end = selection.time_selection_end;
    if (!(end - start > SHORTEST_BEATS)) {
      throw new Refusal("No time is selected.", "Select a range on an audio track in the Arrangement.");
    }
    return tracks_of(live, selection.selected_lanes).map((track) => {
      return { track, track_name: live.model.trackGetName(track), start, end };
    });
  }

  // Takes lie on lanes below their track: a selection across both means the track once.
  function tracks_of(live: Live, lanes: Handle[]): Handle[] {
    const tracks = new Map<bigint, Handle>();
    for (const lane of lanes) {
      const track = track_above(live, lane);
      tracks.set(track.id, track);
    }
    if (!tracks.size) throw new Refusal("No track is selected.", "Select a range on an audio track in the Arrangement.");
    return [...tracks.values()];
  }

  export function track_above(live: Live, handle: Handle): Handle {
    // Live calls some audio tracks of older sets just Track, so only what is known to be another kind is refused.
    const track = live.above(handle, "AudioTrack", "MidiTrack", "Track");
    if (!track) throw new Refusal("This is not on a track.");
    const name = live.model.trackGetName(track);
    if (live.is(track, "MidiTrack")) {
      throw new Refusal(`${name} is a MIDI track and has no audio.`, "Freeze and flatten it, or resample it to an audio track.");
    }
    const is_group = live.model.songGetTracks(live.song).some((one) => live.model.trackGetGroupTrack(one)?.id === track.id);
    if (is_group) throw new Refusal(`${name} is a group and has no clips of its own.`, "Select its tracks.");
    return track;
  }

  export function has_audio(live: Live, stretch: Stretch): boolean {
    return live.model.trackGetArrangementClips(stretch.track).some((clip) => overlaps(live, clip, stretch));
  }

  export function overlaps(live: Live, clip: Handle, stretch: { start: number; end: number }): boolean {
    const start = live.model.clipGetStartTime(clip), end = live.model.clipGetEndTime(clip);
    return start < stretch.end - SHORTEST_BEATS && end > stretch.start + SHORTEST_BEATS;
  }

  export function cell_of(live: Live, slot: Handle): Cell {
    const track = track_above(live, slot);
    return { track, track_name: live.model.trackGetName(track), slot, clip: live.model.clipslotGetClip(slot) };
  }

  /** Return what a job is made from, and the beat at which its takes belong. */
  export async function stretch_material(
    live: Live, storage: Storage, stretch: Stretch, task: Task,
  ): Promise<{ material: Material; start: number }> {
    const tempo_bpm = live.tempo_bpm;
    const start = Math.max(0, stretch.start - context_beats(task));
    const seconds = (beats: number) => (beats * 60) / tempo_bpm;
    const anchor = { track: stretch.track_name, position_s: seconds(start), tempo_bpm };
    if (task === "generate") return { material: { path: "", length_s: seconds(stretch.end - start), anchor }, start };
    if (!has_audio(live, stretch)) {
      throw new Refusal(`There is no audio in the selection on ${stretch.track_name}.`, "Ask for a new sound instead.");
    }
    const end = stretch.end + context_beats(task);
    const path = storage.kept(await live.rendered(stretch.track, start, end));
    const mask_s: [number, number] = [seconds(stretch.start - start), seconds(stretch.end - start)];
    return { material: { path, length_s: seconds(end - start), anchor, mask_s }, start };
  }

  /** Return what a job is made from: the whole file of a clip, since nothing else of it can be rendered. */
  export function cell_material(live: Live, cell: Cell, task: Task, new_s: number): Material {
    const anchor = { track: cell.track_name, tempo_bpm: live.tempo_bpm };
    if (task === "generate") return { path: "", length_s: new_s, anchor };
    if (!cell.clip) throw new Refusal("There is no clip in this slot.", "Ask for a new sound instead.");
    if (live.is(cell.clip, "MidiClip")) throw new Refusal("This is a MIDI clip and has no audio.", "Freeze and flatten its track.");
    if (live.model.audioclipGetWarping(cell.clip)) {
      throw new Refusal(
        "This session clip is warped, and Live renders clips only in the Arrangement.",
        "Drag it into the Arrangement and select it there, or switch Warp off.",
      );
    }
    return { path: live.model.audioclipGetFilePath(cell.clip), length_s: new_s, anchor };
  }

  /** Renders of Live kept for as long as takes may be made again: Live itself gives the next one the same name. */
  export class Storage {
    private count = 0;

    constructor(private readonly environment: Environment) {}

    kept(path: string): string {
      const folder = this.environment.storageDirectory ?? this.environment.tempDirectory;
      if (!folder) return path;
      const fs = require("node:fs"), join = require("node:path").join;
      fs.mkdirSync(join(folder, "regions"), { recursive: true });
      const kept = join(folder, "regions", `region-${Date.now()}-${++this.count}.wav`);
      fs.copyFileSync(path, kept);
      return kept;
    }
  }
}
