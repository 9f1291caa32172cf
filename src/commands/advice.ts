/**
 * What to try next when a check has failed, in a person's words.
 *
 * @module
 */

import { describeError, type ErrorCode, type ServiceError } from "../errors.ts";
import { adviseNetwork, SILENCE_ADVICE, TOKEN_SERVER_ADVICE } from "../network_advice.ts";

/** What is known of where firmware is looked for. */
export interface Place {
  /** The registry's address or the folder's path, for people. */
  readonly name: string;
  /** What kind of source it is. */
  readonly kind: "registry" | "layout";
  /** The repository's full name. */
  readonly repository: string;
  /** Whether a user or a password is configured. */
  readonly hasCredentials: boolean;
}

/** How far a check has come. */
export interface Progress {
  /** All tags; undefined before they were listed. */
  tags: readonly string[] | undefined;
  /** Whether any of them was chosen. */
  hasChosen: boolean;
}

type Advice = (error: ServiceError, place: Place, progress: Progress) => string;

/** Only the codes that a check can end with; in what cannot be told, the manual is the advice. */
const ADVICE: Partial<Readonly<Record<ErrorCode, Advice>>> = {
  "device-invalid": () =>
    "A device's id is part of a repository's name: lower-case letters and digits, parted by . _ - or /",
  "firmware-unknown": adviseUnknown,
  "selection-unmatched": () =>
    "There are versions, but none that devices are to get by default: look at the tags above, and at " +
    "--default-constraint and --prerelease",
  "artifact-invalid": adviseArtifact,
  "signature-invalid": (_error, { repository }) =>
    `Sign the firmware that the version names, by its digest: cosign sign --key cosign.key ` +
    `REGISTRY/${repository}@sha256:…, and look whether --cosign-pub-key-path is the key's other ` +
    "half; docs/signing.md says which signatures count",
  "source-unavailable": (error) =>
    adviseNetwork(describeError(error)) ??
      "Look at --registry-url, and whether a firewall or a proxy lies between",
  "source-timeout": (error) => adviseNetwork(describeError(error)) ?? SILENCE_ADVICE,
  "source-refused": (_error, { repository, hasCredentials }) =>
    hasCredentials
      ? `Are --registry-username and its password right, and may this user pull from ` +
        `${repository}? Some registries answer so where there is no such repository, too`
      : "The registry wants to know who asks: give --registry-username and --registry-password-file",
  "source-invalid": adviseInvalid,
};

/**
 * Says what to try next.
 *
 * @param error What a check ended with.
 * @param place Where it looked.
 * @param progress How far it came.
 * @returns One sentence or two, without full stop.
 */
export function advise(error: ServiceError, place: Place, progress: Progress): string {
  return ADVICE[error.code]?.(error, place, progress) ??
    "docs/operations.md says what each state means";
}

function adviseUnknown(_error: ServiceError, place: Place, progress: Progress): string {
  const { repository, kind, name } = place;
  const scheme = name.startsWith("http://") ? "--plain-http " : "";
  const push = kind === "layout"
    ? `oras push --oci-layout ${name}/${repository}:1.0.0 firmware.bin`
    : `oras push ${scheme}${name.replace(/^https?:\/\//, "")}/${repository}:1.0.0 firmware.bin`;
  if (progress.tags === undefined) {
    if (kind === "registry" && /\/v2\/?$/.test(name)) {
      return "Take /v2 away from the end of --registry-url: it is added to each request";
    }
    const [what, more] = kind === "layout"
      ? [`folder ${name}/${repository}`, "Is --layout-dir the folder above those of devices? "]
      : [`repository ${repository}`, pathAdvice(name)];
    return `There is no ${what}: are the device's id and --repository-prefix right? ${more}` +
      `If nothing was pushed yet: ${push}`;
  }
  if (progress.tags.length === 0) return `The repository is empty, push a firmware: ${push}`;
  if (!progress.hasChosen) {
    return `No tag is a semantic version such as 1.2.3 or v1.2.3: push under one: ${push}`;
  }
  return `The tags that are versions have lost their manifests: push again: ${push}`;
}

/** A registry may have a path, but more often a repository has slipped into its address. */
function pathAdvice(registry: string): string {
  const { pathname } = new URL(registry);
  return pathname === "/" ? "" : `Is ${pathname} the registry's own, or part of a name? `;
}

function adviseInvalid({ message }: ServiceError, { kind, repository }: Place): string {
  if (kind === "layout") {
    return "The folder holds no image layout that can be read: make it with oras or skopeo";
  }
  if (/^Cannot get a token|token server/.test(message)) return TOKEN_SERVER_ADVICE;
  const advice =
    "What answers there is not a registry, or another protocol: --registry-url is the registry's " +
    "address without /v2/ or a repository, with https:// where it speaks TLS";
  if (!message.endsWith("registry answered 404")) return advice;
  const [owner = ""] = repository.split("/");
  return `${advice}; Gitea and Forgejo answer so, too, where no user or organisation is called ` +
    `"${owner}": there, --repository-prefix begins with the owner`;
}

function adviseArtifact(error: ServiceError, { repository }: Place): string {
  if (/want \d+ at most$/.test(error.message)) {
    return "Is it the right file? If it is, allow more by --max-firmware-size";
  }
  if (/digest|bytes/.test(error.message)) {
    return "What the registry delivers is not what was pushed: push again under a higher version; if " +
      "it stays, look at the registry's storage and at proxies between";
  }
  return `Push the file itself, oras push …/${repository}:VERSION firmware.bin, or an image with one ` +
    "file; docs/firmware.md says what an artifact may look like";
}
