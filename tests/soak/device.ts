/**
 * One simulated device: polls, downloads, is cut off, goes on, and trusts nothing that it gets.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Catalogue } from "./catalogue.ts";
import type { Chance } from "./chance.ts";
import { type Answer, DeviceClient, readText } from "./client.ts";
import { Cut } from "./connection.ts";
import type { Findings } from "./findings.ts";
import type { Habits } from "./habits.ts";
import type { Span } from "./publisher.ts";
import type { Service } from "./service.ts";
import { nameOf, parseLines, parseObject, type Told } from "./told.ts";

/** What all devices share. */
export interface World {
  readonly service: Service;
  readonly catalogue: Catalogue;
  readonly findings: Findings;
  /** Whether somebody was changing an id's firmware at any time of a span. */
  readonly hasChanged: (id: string, span: Span) => boolean;
}

/** Options of {@linkcode Device}. */
export interface DeviceOptions {
  /** Whose firmware it asks for. */
  readonly id: string;
  /** Its own address, where a proxy names it. */
  readonly address: string;
  readonly habits: Habits;
  readonly chance: Chance;
  readonly world: World;
}

/** So often a device that has the newest firmware is erased, and wants it again. */
const ERASED = 0.05;

/**
 * What was announced, or begun, is served for a minute to the same client
 * (docs/devices.md, "One download, one firmware"); a little less, for the time under way.
 */
const PROMISE_MS = 50_000;

/**
 * How long after a change it may still be that the service has just learned of it, in milliseconds:
 * what is named by its version, or was begun more than a minute ago, is gone then.
 */
const GONE_MS = 120_000;

/** What a download has brought so far. */
interface Part {
  readonly etag: string;
  readonly told: Told | undefined;
  readonly size: number;
  chunks: Uint8Array[];
  length: number;
  /** When its first byte was asked for. */
  readonly begunMs: number;
  /** Who sent bytes of it last, and when. */
  life: number;
  atMs: number;
}

/** A device. */
export class Device {
  readonly #options: DeviceOptions;
  readonly #client: DeviceClient;
  /** What it knows the firmware by that it runs: its tag, or what it was told. */
  #runs: string | undefined;
  #part: Part | undefined;

  constructor(options: DeviceOptions) {
    const { habits, address, world } = options;
    this.#options = options;
    this.#client = new DeviceClient({
      ...world,
      address: habits.isBehindProxy ? address : undefined,
    });
  }

  /** Polls once, with all that follows. */
  async poll(): Promise<void> {
    const { habits, chance } = this.#options;
    try {
      if (this.#part !== undefined) await this.#resume(this.#part);
      else if (habits.isConditional) await this.#downloadIfChanged();
      else {
        const told = await this.#askVersion();
        const isErased = chance.is(ERASED);
        if (told !== undefined && (isErased || this.#runs !== nameOf(told))) {
          await this.#download(told);
        }
      }
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      this.#wasCut(error);
    } finally {
      if (!habits.keepsConnection) this.disconnect();
    }
  }

  /** Lets go of its connection. */
  disconnect(): void {
    this.#client.disconnect();
  }

  async #askVersion(): Promise<Told | undefined> {
    const { id, habits, world: { catalogue, findings } } = this.#options;
    const path = habits.form === "json" ? "/version.json" : "/version";
    const answer = await this.#client.get(`${path}?device=${id}`);
    const text = await readText(answer);
    if (answer.status !== 200) return this.#refused(answer, text);
    const claim = habits.form === "json" ? parseObject(text) : parseLines(text);
    if (!catalogue.has(id, claim)) {
      findings.breach("wrong bytes", `${id} is told ${text}, which was never offered`);
    }
    catalogue.told(id, claim);
    findings.count("versions told");
    return { ...claim, life: answer.life, atMs: answer.askedMs };
  }

  async #download(told: Told): Promise<void> {
    const { id, habits, chance, world: { findings } } = this.#options;
    await new Promise((resolve) => setTimeout(resolve, chance.between(0, habits.dawdlesMs)));
    const version = habits.namesVersion ? `&version=${told.version}` : "";
    const answer = await this.#client.get(`/firmware?device=${id}${version}`);
    if (answer.status !== 200) {
      return this.#refused(answer, await readText(answer), {
        // A version that is deleted or replaced meanwhile is not there to be asked for by its name.
        ...(habits.namesVersion && { knownMs: told.atMs }),
      });
    }
    const isPromised = !habits.namesVersion && told.life === answer.life &&
      answer.askedMs - told.atMs < PROMISE_MS;
    const isAsTold = answer.headers.get("x-firmware-version") === told.version &&
      answer.headers.get("x-firmware-crc32") === `${told.crc32}` &&
      answer.headers.get("content-length") === `${told.size}`;
    if (isPromised && !isAsTold) {
      const got = [...answer.headers].map((field) => field.join(": ")).join(", ");
      findings.breach(
        "not what was announced",
        `${id} was told ${JSON.stringify(told)}, and gets ${got}`,
      );
    }
    await this.#take(answer, told);
  }

  async #downloadIfChanged(): Promise<void> {
    const { id, chance, world: { findings } } = this.#options;
    const known = chance.is(ERASED) ? undefined : this.#runs;
    const answer = await this.#client.get(`/firmware?device=${id}`, { "if-none-match": known });
    if (answer.status === 304) {
      if (answer.headers.get("etag") !== known) {
        findings.breach(
          "wrong bytes",
          `${id} has ${known}, 304 says ${answer.headers.get("etag")}`,
        );
      }
      return findings.count("not modified");
    }
    if (answer.status !== 200) return this.#refused(answer, await readText(answer));
    await this.#take(answer, undefined);
  }

  /** Goes on with what was cut off. */
  async #resume(part: Part): Promise<void> {
    const { id, habits, world: { findings, hasChanged } } = this.#options;
    this.#part = undefined;
    const version = habits.namesVersion && part.told ? `&version=${part.told.version}` : "";
    const answer = await this.#client.get(`/firmware?device=${id}${version}`, {
      range: `bytes=${part.length}-`,
      "if-range": habits.resumes === "if-range" ? part.etag : undefined,
    });
    const knownMs = part.begunMs;
    // Held for a minute after it was replaced, which may have been a while after the change.
    const span = { sinceMs: knownMs - GONE_MS, untilMs: answer.askedMs - PROMISE_MS };
    const isPromised = part.life === answer.life && answer.askedMs - part.atMs < PROMISE_MS &&
      !hasChanged(id, span);
    if (answer.status === 200) return await this.#take(answer, undefined);
    if (answer.status !== 206) {
      return this.#refused(answer, await readText(answer), {
        ...((habits.namesVersion || !isPromised) && { knownMs }),
      });
    }
    findings.count("downloads resumed");
    const begins = `bytes ${part.length}-${part.size - 1}/${part.size}`;
    const isSame = answer.headers.get("etag") === part.etag &&
      answer.headers.get("content-range") === begins;
    if (!isSame) {
      const { headers } = answer;
      this.disconnect();
      if (habits.resumes === "if-range" || isPromised) {
        const got = `${headers.get("content-range")} of ${headers.get("etag")}`;
        findings.breach(
          "two firmwares in one",
          `${id} has ${part.length} bytes of ${part.etag}, and gets ${got}`,
        );
      }
      // After a kill, or a minute, this may be: who does not say If-Range has to look at the tag.
      return findings.count("resumed in vain");
    }
    await this.#take(answer, part.told, part);
  }

  /** Reads a body to its end, or as far as this device comes, and judges it. */
  async #take(answer: Answer, told: Told | undefined, begun?: Part): Promise<void> {
    const { habits, chance, world: { findings } } = this.#options;
    const { length } = answer;
    const part = begun ?? {
      ...{ etag: answer.headers.get("etag") ?? "", told, size: length },
      ...{
        chunks: [],
        length: 0,
        begunMs: answer.askedMs,
        life: answer.life,
        atMs: answer.askedMs,
      },
    };
    part.life = answer.life;
    part.atMs = answer.askedMs;
    if (habits.resumes !== "never") this.#part = part;
    const cutAt = chance.is(habits.cuts) ? part.length + chance.below(length) : Infinity;
    for await (const chunk of answer.body) {
      findings.count("bytes", chunk.length);
      part.chunks.push(chunk);
      part.length += chunk.length;
      if (part.length >= cutAt && part.length < part.size) {
        findings.count("downloads given up by the device");
        return this.disconnect();
      }
      if (habits.bytesPerSecond !== undefined) {
        await new Promise((resolve) =>
          setTimeout(resolve, chunk.length * 1000 / (habits.bytesPerSecond ?? Infinity))
        );
      }
    }
    this.#part = undefined;
    this.#judge(part, { answer, isResumed: begun !== undefined });
  }

  /** A whole firmware: it has to be one that was offered, by all that the answer says of it. */
  #judge(
    part: Part,
    { answer, isResumed }: { readonly answer: Answer; readonly isResumed: boolean },
  ): void {
    const { id, habits, world: { catalogue, findings } } = this.#options;
    const hash = createHash("sha256");
    for (const chunk of part.chunks) hash.update(chunk);
    const sha256 = hash.digest("hex");
    const version = answer.headers.get("x-firmware-version");
    const crc32 = answer.headers.get("x-firmware-crc32");
    // Whoever goes on by If-Range is told no more than the tag.
    const isBrief = isResumed && habits.resumes === "if-range";
    const claim = { sha256, size: part.length, version, crc32: Number(crc32) };
    const isRight = part.etag === `"${sha256}"` &&
      catalogue.has(
        id,
        isBrief ? { sha256, size: part.length } : { ...claim, version: version ?? "" },
      );
    if (!isRight) {
      findings.breach(
        isResumed ? "two firmwares in one" : "wrong bytes",
        `${id} has ${JSON.stringify(claim)} under ${part.etag}, which was never offered`,
      );
    }
    findings.count("downloads");
    this.#runs = habits.isConditional || part.told === undefined ? part.etag : nameOf(part.told);
  }

  /**
   * An answer that is none. The registry, the broker and the disk are no excuse for it; only what is
   * asked for by its name may be gone, if it was changed since it was known.
   */
  #refused(
    answer: Answer,
    text: string,
    { knownMs = Infinity }: { readonly knownMs?: number } = {},
  ): undefined {
    const { id, world: { service, catalogue, findings, hasChanged } } = this.#options;
    if (answer.status === 503 && text.startsWith("Too many downloads")) {
      findings.count("sent away, too many downloads");
      return;
    }
    // What had to go for room was logged before this answer.
    service.judgeLog();
    const [, version] = /&version=(.+)$/.exec(answer.path) ?? [];
    const isExcused = !catalogue.isKept(id, version) ||
      hasChanged(id, { sinceMs: knownMs - GONE_MS, untilMs: answer.askedMs });
    findings.count(isExcused ? "refused for a reason" : "refused");
    if (!isExcused) {
      const { path, status } = answer;
      findings.breach("refused though it is cached", `${path}: ${status} ${text.trim()}`);
    }
  }

  #wasCut(cut: Cut): void {
    const { id, world: { findings } } = this.#options;
    this.disconnect();
    findings.count("connections cut by the sabotage");
    if (this.#client.excuses(cut)) return;
    findings.breach("cut off without a reason", `${id}: ${cut.message}: ${cut.cause}`);
  }
}
