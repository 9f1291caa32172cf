/**
 * Stands between the registry and the service's webhook, and takes down which events were
 * acknowledged: what the service has answered 200 it must carry out.
 *
 * @module
 */

import type { Findings } from "./findings.ts";

/** What a notification of the registry's says, as far as it matters here. */
interface Envelope {
  readonly events: readonly {
    readonly action: string;
    readonly target: { readonly repository: string; readonly digest: string };
  }[];
}

/** An event of a registry. */
export interface RegistryEvent {
  readonly action: "push" | "delete";
  readonly repository: string;
  readonly digest: string;
}

/** Options of {@linkcode EventRelay}. */
export interface EventRelayOptions {
  /** Where the service takes events of this registry. */
  readonly target: string;
  /** Whether events of a repository are handed on; of others nothing is told. */
  readonly hears: (repository: string) => boolean;
  /** Counts. */
  readonly findings: Findings;
}

/** Longer than the service takes to answer, in milliseconds; the registry tries again. */
const ANSWER_MS = 2000;

/** Hands notifications on. */
export class EventRelay implements AsyncDisposable {
  readonly #options: EventRelayOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #acknowledged = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  constructor(options: EventRelayOptions) {
    this.#options = options;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handOn(request),
    );
  }

  /** Where the registry posts to. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Waits until an event is acknowledged, and tells whether it was in time. */
  async acknowledged(event: RegistryEvent, ms: number): Promise<boolean> {
    const key = keyOf(event);
    if (!this.#acknowledged.has(key)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.set(key, resolve);
      const late = setTimeout(resolve, ms);
      await promise;
      clearTimeout(late);
      this.#waiting.delete(key);
    }
    return this.#acknowledged.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #handOn(request: Request): Promise<Response> {
    const { target, hears, findings } = this.#options;
    const authorization = request.headers.get("authorization") ?? "";
    try {
      const body = await request.text();
      const { events }: Envelope = JSON.parse(body);
      if (!events.some((event) => hears(event.target.repository))) return new Response();
      const response = await fetch(target, {
        method: "POST",
        headers: { authorization },
        body,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      await response.body?.cancel();
      if (response.ok) {
        findings.count("events acknowledged");
        for (const { action, target } of events) this.#acknowledge(keyOf({ action, ...target }));
      }
      return new Response(null, { status: response.status });
    } catch {
      // Either end may be killed: the registry tries again.
      return new Response(null, { status: 502 });
    }
  }

  #acknowledge(key: string): void {
    this.#acknowledged.add(key);
    this.#waiting.get(key)?.();
  }
}

function keyOf(event: { readonly action: string } & Omit<RegistryEvent, "action">): string {
  return `${event.action} ${event.repository} ${event.digest}`;
}
