/**
 * Follows the files of a certificate as they change.
 *
 * It looks at what they hold every few seconds: events of the file system do not tell of links that
 * are set anew in another folder (certbot), of whole folders that are exchanged (Kubernetes) or of
 * network file systems.
 *
 * @module
 */

import { describeError } from "../errors.ts";
import { logger } from "../log.ts";
import {
  CertificateError,
  type CertificatePair,
  type CertificatePaths,
  checkPair,
  datesComplaint,
  describePair,
  readPair,
} from "./certificate.ts";

/** How often the files are looked at, in milliseconds. */
const LOOK_INTERVAL_MS = 2000;

const log = logger("tls");

/** Options of {@linkcode CertificateReloader}. */
export interface CertificateReloaderOptions {
  /** The files. */
  readonly paths: CertificatePaths;
  /** What is in use. */
  readonly pair: CertificatePair;
  /** Takes a new pair into use, or throws. */
  readonly use: (pair: CertificatePair) => void;
  /** The time in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** What the files hold, or why they cannot be read. */
type Content = CertificatePair | CertificateError;

/** Takes a new certificate into use once it is there as a whole, and says so. */
export class CertificateReloader {
  readonly #options: CertificateReloaderOptions;
  readonly #now: () => number;
  #inUse: CertificatePair;
  /** What was decided on last: what is in use, or what was refused. */
  #decided: Content;
  /** What was refused for nothing but its dates. */
  #untimely: CertificatePair | undefined;
  /** What the files held at the last look. */
  #seen: Content;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Looks at nothing yet.
   *
   * @param options What is in use, and how to change it.
   */
  constructor(options: CertificateReloaderOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#inUse = this.#decided = this.#seen = options.pair;
  }

  /** What is in use. */
  get inUse(): CertificatePair {
    return this.#inUse;
  }

  /** Begins to look every few seconds. */
  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_INTERVAL_MS);
  }

  /** Looks no more, for good. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Looks at the files. What differs is decided on once two looks in a row have seen the same: the
   * two files are rarely exchanged in one moment. What was refused for its dates is decided on again
   * once they fit: the clock of a gateway is set some time after its start.
   *
   * @returns When it is done. It never fails.
   */
  async look(): Promise<void> {
    const content = await this.#read();
    const isSettled = isSame(content, this.#seen);
    this.#seen = content;
    if (isSettled && (!isSame(content, this.#decided) || this.#isTimely())) this.#decide(content);
  }

  /**
   * Decides on what the files hold now, because somebody says that it is time.
   *
   * @returns When it is done. It never fails.
   */
  async reload(): Promise<void> {
    this.#seen = await this.#read();
    this.#decide(this.#seen);
  }

  async #read(): Promise<Content> {
    try {
      return await readPair(this.#options.paths);
    } catch (error) {
      if (error instanceof CertificateError) return error;
      throw error;
    }
  }

  #isTimely(): boolean {
    return this.#untimely !== undefined &&
      datesComplaint(this.#untimely, this.#now()) === undefined;
  }

  #decide(content: Content): void {
    this.#decided = content;
    this.#untimely = undefined;
    try {
      const pair = this.#accept(content);
      log.info("Certificate is in use", describePair(pair));
    } catch (error) {
      const reason = describeError(error);
      log.error("Certificate is refused, the one before stays in use", { reason });
    }
  }

  #accept(content: Content): CertificatePair {
    if (content instanceof CertificateError) throw content;
    if (isSame(content, this.#inUse)) return content;
    checkPair(content);
    const complaint = datesComplaint(content, this.#now());
    // What is in use is not exchanged for what no device may accept.
    if (complaint !== undefined) {
      this.#untimely = content;
      throw new CertificateError(complaint);
    }
    this.#options.use(content);
    return this.#inUse = content;
  }
}

function isSame(one: Content, other: Content): boolean {
  if (one instanceof CertificateError || other instanceof CertificateError) {
    return one instanceof CertificateError && other instanceof CertificateError &&
      one.message === other.message;
  }
  return one.cert === other.cert && one.key === other.key;
}
