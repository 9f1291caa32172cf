/**
 * Finds firmware at the source: from a device to verified bytes.
 *
 * @module
 */

import { isServiceError, ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { asQuery, formatSelection, type Query, type Question } from "../selection.ts";
import { Approval } from "./approval.ts";
import { type Artifact, resolveArtifact } from "./artifact.ts";
import type { DowngradeGuard } from "./downgrade.ts";
import { FirmwareDownload } from "./download.ts";
import type {
  Firmware,
  FirmwareName,
  FirmwareObserver,
  FirmwareRecord,
  FirmwareSource,
  FirmwareStore,
  FirmwareVerifier,
} from "./firmware.ts";
import { chooseVersions, unmatched } from "./selection.ts";
import { TagLists, type TagListWish } from "./tag_lists.ts";
import type { VersionTag } from "./version.ts";

/**
 * A registry may list tags whose manifest was deleted. So many tags are tried, the newest ones: each
 * costs a request. That there are more is no proof that there is no firmware.
 */
const TRIED_TAGS_LIMIT = 5;

const log = logger("firmware");

/** Options of {@linkcode FirmwareLookup}. */
export interface FirmwareLookupOptions {
  /** Where firmware comes from. */
  readonly source: Omit<FirmwareSource, "ping">;
  /** Where it is kept. */
  readonly store: FirmwareStore;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxFirmwareBytes: number;
  /** Refuses lower versions than before, where that is wanted. */
  readonly guard?: DowngradeGuard | undefined;
  /** Says who may release firmware; without one everybody may who can push. */
  readonly verifier?: FirmwareVerifier | undefined;
  /** Told of verifications. */
  readonly observer: Pick<FirmwareObserver, "verified">;
  /** Told as soon as the source has answered, however long the download takes then. */
  readonly onAnswer: () => void;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** What spares the source requests. */
export interface NewestOptions {
  /** A tag list that was asked for after this moment will do. @default now */
  readonly since?: number;
  /** And so does one that is younger than that, in milliseconds. @default 0 */
  readonly sharedForMs?: number;
  /** What the device is served for other selections of the same hardware and file. @default nothing */
  readonly others?: readonly Firmware[];
}

/** Asks the source, each time anew, and verifies what it delivers. */
export class FirmwareLookup {
  readonly #source: FirmwareLookupOptions["source"];
  readonly #store: FirmwareStore;
  readonly #guard: DowngradeGuard | undefined;
  readonly #onAnswer: () => void;
  readonly #approval: Approval;
  readonly #tags: TagLists;
  readonly #download: FirmwareDownload;

  /**
   * Asks nothing yet.
   *
   * @param options Where, how much at most, and who is told.
   */
  constructor(options: FirmwareLookupOptions) {
    const { source, store, guard, onAnswer, now = () => performance.now() } = options;
    this.#source = source;
    this.#store = store;
    this.#guard = guard;
    this.#onAnswer = onAnswer;
    this.#approval = new Approval(options);
    this.#tags = new TagLists({ source, now, onAnswer });
    this.#download = new FirmwareDownload(options);
  }

  /**
   * The newest firmware that a device asks for.
   *
   * @param question Who asks, and for what.
   * @param known What was the newest before: it is not fetched again.
   * @param options What spares the source requests.
   * @returns Verified firmware, stored and written down; `known` itself where nothing has changed.
   * @throws {ServiceError} With any code but `firmware-gone`.
   */
  async newest(
    question: Question,
    known: Firmware | undefined,
    { since = this.moment, sharedForMs = 0, others = [] }: NewestOptions = {},
  ): Promise<Firmware> {
    const query = asQuery(question);
    const { device, selection } = query;
    const versions = await this.#listVersions(device, { since, sharedForMs });
    const candidates = chooseVersions(versions, selection);
    for (const candidate of candidates.slice(0, TRIED_TAGS_LIMIT)) {
      try {
        await this.#guard?.check(query, candidate, known);
        const firmware = await this.#fetchTag(query, candidate, { known, others });
        await this.#guard?.note(query, firmware);
        return firmware;
      } catch (error) {
        if (!isServiceError(error, "firmware-unknown")) throw error;
        // Once is enough: checks come again and again.
        const level = known === undefined ? "warn" : "debug";
        log[level]("Tag is listed, but has no manifest", { device, tag: candidate.tag });
      }
    }
    if (candidates.length > TRIED_TAGS_LIMIT) {
      throw new ServiceError(
        "artifact-invalid",
        `The newest tags of device '${device}' have no manifest`,
      );
    }
    if (versions.length === 0) throw unknownFirmware(device, "no tag is a version");
    const isDangling = candidates.length > 0;
    const cause = isDangling ? "no listed tag has a manifest" : "no version is of that kind";
    throw formatSelection(selection) === ""
      ? unknownFirmware(device, cause)
      : unmatched(query, cause);
  }

  /** Now, for who is going to ask later, and can do with what others ask meanwhile. */
  get moment(): number {
    return this.#tags.moment;
  }

  /**
   * Forgets which tags a device has.
   *
   * @param device A device id.
   */
  forgetTags(device: string): void {
    this.#tags.forget(device);
  }

  async #listVersions(device: string, wish: TagListWish): Promise<readonly VersionTag[]> {
    try {
      return await this.#tags.get(device, wish);
    } catch (error) {
      throw isServiceError(error, "firmware-unknown") ? unknownFirmware(device, error) : error;
    }
  }

  async #fetchTag(
    query: Query,
    candidate: VersionTag,
    { known, others }: { known: Firmware | undefined; others: readonly Firmware[] },
  ): Promise<Firmware> {
    if (known?.tag === candidate.tag) {
      const digest = await this.#source.peekDigest(query.device, candidate.tag);
      if (digest === known.digest) return known;
      // Another digest is only a reason to look: it is a claim, and may lead nowhere.
    }
    const artifact = await resolveArtifact(this.#source, query, candidate.tag);
    const policy = await this.#approval.check(query.device, candidate, artifact);
    const same = [known, ...others].find((firmware) => firmware?.digest === artifact.digest);
    if (same !== undefined) {
      const record = { ...renamed({ ...same, ...candidate }, artifact), policy };
      if (await this.#store.save(query, record)) return record.firmware;
    }
    const record = await this.#download.fetch(query.device, { name: candidate, artifact, known });
    return await this.#save(query, { ...record, policy });
  }

  /**
   * A firmware by its name, although it may no longer be the newest.
   *
   * @param question Who asks, and for what.
   * @param name Which.
   * @param options Whether it is written down as the device's; asked once it is there.
   * @returns Exactly that firmware, verified and stored.
   * @throws {ServiceError} `firmware-gone` where the source does not have it any more, or `source-*`.
   */
  async exact(
    question: Question,
    name: FirmwareName & Partial<Pick<Firmware, "modifiedAt">>,
    { isCurrent = () => false }: { readonly isCurrent?: () => boolean } = {},
  ): Promise<Firmware> {
    const query = asQuery(question);
    const { device } = query;
    try {
      const artifact = await resolveArtifact(this.#source, query, name.digest);
      this.#onAnswer();
      const policy = await this.#approval.check(device, name, artifact);
      const { modifiedAt } = name;
      const record = await this.#download.fetch(device, { name, artifact, modifiedAt });
      return isCurrent() ? await this.#save(query, { ...record, policy }) : record.firmware;
    } catch (cause) {
      if (!isServiceError(cause, "firmware-unknown")) throw cause;
      throw new ServiceError(
        "firmware-gone",
        `Firmware ${name.version} of device '${device}' is no longer there, ask for the version`,
        { cause },
      );
    }
  }

  /**
   * Tells whether a firmware that was verified before needs no further verification.
   *
   * @param policy The policy that it was verified under.
   * @returns Whether it may be served as it is.
   */
  trusts(policy: string | undefined): boolean {
    return this.#approval.policy === undefined || this.#approval.policy === policy;
  }

  /**
   * Verifies the signature of a stored firmware under the present policy, and writes that down.
   *
   * @param query Who asks, and for what.
   * @param firmware What was verified under another policy, or none.
   * @throws {ServiceError} With any code: it must not be served.
   */
  async reverify(query: Query, firmware: Firmware): Promise<void> {
    const artifact = await resolveArtifact(this.#source, query, firmware.digest);
    this.#onAnswer();
    const policy = await this.#approval.check(query.device, firmware, artifact);
    await this.#save(query, { ...renamed(firmware, artifact), policy });
  }

  async #save(query: Query, record: FirmwareRecord): Promise<Firmware> {
    if (await this.#store.save(query, record)) return record.firmware;
    throw new ServiceError("storage-failed", "Firmware does not stay in the store");
  }
}

/** The same content under another tag. */
function renamed(firmware: Firmware, { layer, documents }: Artifact): FirmwareRecord {
  const [, sha256] = /^sha256:(.*)$/.exec(layer.digest) ?? [];
  return { firmware, documents, layer: { digest: layer.digest, sha256 } };
}

/** The words are those of the Rust OtaFlux: devices and scripts may look for them. */
function unknownFirmware(device: string, cause: unknown): ServiceError {
  return new ServiceError("firmware-unknown", `No firmware for device '${device}'`, { cause });
}
