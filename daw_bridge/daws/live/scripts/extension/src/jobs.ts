/** Jobs of the service, asked for and waited for; a lost service is found again and the jobs go on. */
namespace bridge {
  export interface Take { path: string; seed: string; score: number | null; note: string }

  const LOOK_MS = 300;

  export interface JobState {
    state: "queued" | "running" | "finished" | "failed" | "cancelled";
    fraction: number;
    takes: Take[];
    error: { code: string; message: string; hint: string } | null;
  }

  /** Render each request and return the takes of each, best first. Throws a Refusal; null where it was cancelled. */
  export async function rendered(
    service: Service, requests: Request[], show: (text: string, fraction: number) => void, is_cancelled: () => boolean,
  ): Promise<Take[][] | null> {
    const ids: string[] = [];
    try {
      for (const request of requests) ids.push(await accepted(service, request));
      return await finished(service, ids, show, is_cancelled);
    } catch (error) {
      await cancelled(service, ids).catch(() => undefined);
      throw error;
    }
  }

  async function accepted(service: Service, request: Request): Promise<string> {
    const [job_id] = await service.ask(request.address, request.tags, ...request.args);
    return String(job_id);
  }

  async function finished(
    service: Service, ids: string[], show: (text: string, fraction: number) => void, is_cancelled: () => boolean,
  ): Promise<Take[][] | null> {
    const takes: Take[][] = [];
    for (const [index, id] of ids.entries()) {
      for (let state = await state_of(service, id); state.state !== "finished"; state = await state_of(service, id)) {
        if (is_cancelled()) {
          await cancelled(service, ids);
          return null;
        }
        if (state.error) throw new Refusal(state.error.message, state.error.hint, state.error.code);
        if (state.state === "cancelled") return null;
        const which = ids.length > 1 ? ` (${index + 1} of ${ids.length})` : "";
        const what = state.state === "queued" ? "Waiting" : "Rendering";
        show(`${what}${which}: ${Math.round(100 * state.fraction)} %`, (index + state.fraction) / ids.length);
        await later(LOOK_MS);
      }
      takes.push((await state_of(service, id)).takes);
    }
    return takes;
  }

  async function cancelled(service: Service, ids: string[]): Promise<void> {
    for (const id of ids) await service.ask("cancel", "s", id);
  }

  async function state_of(service: Service, id: string): Promise<JobState> {
    const [text] = await service.ask("job/info", "s", id);
    return read_state(String(text));
  }

  /** Read what the service tells of a job. */
  export function read_state(text: string): JobState {
    // A seed can have more digits than a number of this language keeps.
    const job = JSON.parse(text.replace(/"seed": ?(\d+)/g, '"seed":"$1"'));
    return {
      state: job.state,
      fraction: job.fraction ?? 0,
      takes: (job.takes ?? []).map((take: Take & { dry: string }) => {
        return { path: take.path, seed: String(take.seed), score: take.score ?? null, note: take.dry ? take.note : "" };
      }),
      error: job.error ?? null,
    };
  }
}
