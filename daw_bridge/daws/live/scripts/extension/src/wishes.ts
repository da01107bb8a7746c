/** What a musician wants of a job, and the request that asks the service for it. */
namespace bridge {
  export type Task = "transfer" | "generate" | "inpaint" | "superres";

  export interface Wishes {
    task: Task;
    prompt: string;
    negative: string;
    strength: number;
    takes: number;
    /** Empty for another one each time. */
    seed: string;
    /** Let the musician work on, without a progress window. */
    is_background: boolean;
  }

  export const FIRST_WISHES: Wishes = {
    task: "transfer", prompt: "", negative: "", strength: 0.7, takes: 3, seed: "", is_background: false,
  };

  export interface Anchor { track: string; position_s?: number; tempo_bpm: number }

  /** What a job is made from: audio or just a length, and where it is in the set. */
  export interface Material {
    /** Empty where there is no audio to begin with. */
    path: string;
    length_s: number;
    anchor: Anchor;
    /** Of what is filled anew: where it begins and ends in the file. */
    mask_s?: [number, number];
  }

  /** A request to the service: its address, the types of its arguments, and these. */
  export interface Request { address: string; tags: string; args: Argument[] }

  const CONTEXT_BEATS = 8;
  const PRIORITY = 0;
  const NO_SLOT = "", SERVICE_FOLDER = "";

  /** Read what the dialog sent; null where it was closed. Throws a Refusal for what cannot be meant. */
  export function read_wishes(content: string): Wishes | null {
    if (!content) return null;
    const wishes = { ...FIRST_WISHES, ...JSON.parse(content) } as Wishes & { is_cancelled?: boolean };
    if (wishes.is_cancelled) return null;
    if (wishes.task !== "superres" && !wishes.prompt.trim()) {
      throw new Refusal("There is no prompt.", "Say in words what you want to hear, for example: a harp.");
    }
    if (!/^\d*$/.test(wishes.seed)) throw new Refusal(`The seed ${wishes.seed} is not a whole number.`);
    return wishes;
  }

  /** Return how many beats around a selection are sent with it, so that what is filled fits in. */
  export function context_beats(task: Task): number {
    return task === "inpaint" ? CONTEXT_BEATS : 0;
  }

  export function request_for(wishes: Wishes, material: Material): Request {
    const options = options_json(wishes, material);
    const rest: Argument[] = [options, PRIORITY, NO_SLOT, SERVICE_FOLDER, stem(wishes, material)];
    switch (wishes.task) {
      case "generate": return { address: "generate", tags: "sfsisss", args: [wishes.prompt, material.length_s, ...rest] };
      case "transfer":
        return { address: "transfer", tags: "ssfsisss", args: [material.path, wishes.prompt, wishes.strength, ...rest] };
      case "inpaint":
        return { address: "inpaint", tags: "ssssisss", args: [material.path, wishes.prompt, mask_json(material), ...rest] };
      case "superres": return { address: "superres", tags: "ssisss", args: [material.path, ...rest] };
    }
  }

  function options_json(wishes: Wishes, material: Material): string {
    const options: Record<string, unknown> = { takes: wishes.takes };
    if (wishes.negative.trim()) options.negative = wishes.negative;
    if (material.path) options.region = { anchor: material.anchor };
    const text = JSON.stringify(options);
    // As text: a seed can have more digits than a number of this language.
    return wishes.seed ? `${text.slice(0, -1)},"seed":${wishes.seed.replace(/^0+(?=\d)/, "")}}` : text;
  }

  function mask_json(material: Material): string {
    const [start_s, end_s] = material.mask_s ?? [0, material.length_s];
    return JSON.stringify({ shapes: [{ shape: "rect", span: { start_s, end_s } }] });
  }

  /** Return the beginning of the takes' file names, after which Live names the clips. */
  function stem(wishes: Wishes, material: Material): string {
    const words = wishes.task === "superres" ? "highs" : wishes.prompt;
    return `${material.anchor.track} ${words}`.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  }
}
