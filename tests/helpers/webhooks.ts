/**
 * Webhooks as registries send them, to a router whose events a test takes.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import type { Hono } from "hono";
import type { AcceptedEvent, WebhookOptions } from "../../src/api/receiver.ts";
import { createRouter } from "../../src/api/router.ts";
import { Announcements } from "../../src/api/announcements.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { trackRequests } from "../../src/metrics/middleware.ts";

/** What is to be sent beside the body. */
export interface PostOptions {
  /** Headers. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** HTTP method. @default "POST" */
  readonly method?: string;
}

/** A router that takes webhooks, whose devices are below `factory`. */
export class WebhookBench {
  /** What was accepted. */
  readonly events: AcceptedEvent[] = [];
  /** Every series. */
  readonly metrics = new Metrics();
  /** The subject. */
  readonly router: Hono;
  /** Thrown instead of accepting. */
  failure: Error | undefined;

  /** Makes a router without a secret. */
  constructor(options: Partial<WebhookOptions> = {}) {
    const never = (): never => {
      throw new Error("A webhook asks for no firmware");
    };
    this.router = createRouter({
      manager: { get: never, getAnnounced: never, open: never, ageSeconds: never, isReady: never },
      downloads: new Downloads({ idleMs: 60_000 }),
      announcements: new Announcements({ holdMs: 60_000 }),
      fleet: { polled: () => {} },
      observe: trackRequests(this.metrics),
      webhooks: {
        secret: undefined,
        repositoryPrefix: "factory",
        observer: this.metrics.webhooks,
        events: {
          accept: (event) => {
            if (this.failure !== undefined) return Promise.reject(this.failure);
            this.events.push(event);
            return Promise.resolve("accepted");
          },
        },
        ...options,
      },
    });
  }

  /** All devices of accepted events, in order. */
  get devices(): readonly string[] {
    return this.events.flatMap(({ devices }) => devices);
  }

  /** Sends a webhook; what is no text or bytes is sent as JSON. */
  async post(path: string, body: unknown, options: PostOptions = {}): Promise<Response> {
    const { headers = {}, method = "POST" } = options;
    const isRaw = typeof body === "string" || body instanceof Uint8Array ||
      body instanceof ReadableStream;
    return await this.router.request(`http://localhost${path}`, {
      method,
      headers,
      ...(method !== "GET" && { body: (isRaw ? body : JSON.stringify(body)) as BodyInit }),
    });
  }

  /** Sends a webhook, and gives what it is answered. */
  async answer(
    path: string,
    body: unknown,
    options: PostOptions = {},
  ): Promise<readonly [status: number, text: string]> {
    const response = await this.post(path, body, options);
    return [response.status, await response.text()];
  }

  /** The series of webhooks, without their name. */
  async counted(): Promise<readonly string[]> {
    const lines = (await this.metrics.expose()).split("\n");
    return lines.filter((line) => line.startsWith("webhooks_total{"))
      .map((line) => line.slice("webhooks_total".length));
  }
}

/** The HMAC that GitHub and Gitea send, in hex. */
export function hmacOf(body: string, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/** Answers of webhooks, as they are on the wire. */
export const ANSWERS = {
  accepted: [200, "Accepted"],
  ignored: [200, "Nothing to do"],
  unauthorized: [401, "Secret of the webhook is missing or wrong\n\n"],
} as const;
