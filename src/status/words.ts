/**
 * What is wrong, in words, and the next thing to try.
 *
 * @module
 */

import { adviseNetwork } from "../network_advice.ts";
import { bytesInWords, counted, durationInWords } from "./amounts.ts";
import type { BrokerFacts, FailureFacts, FirmwareFacts, StatusPorts } from "./facts.ts";
import type { FailingDevices } from "./selection.ts";

/** Whoever asks again for what had to go is a matter of now for so long, in milliseconds. */
const RECENT_MS = 10 * 60 * 1000;

/** A cache that is fuller than this has let go of something because it was full. */
const FULL = 0.8;

/** Something that a person should know of. */
export interface Problem {
  /** What it is, for programs: an error's code, or one of {@linkcode problemsOf}. */
  readonly code: string;
  /** What is wrong, in one line. */
  readonly title: string;
  /** What that means for devices, in a sentence or two. */
  readonly detail: string;
  /** What led to it, as the log has it; undefined where there is no more to say. */
  readonly reason: string | undefined;
  /** The next thing to try. */
  readonly next: string;
  /** The devices that it is about; undefined where it is about all, or none. */
  readonly devices: FailingDevices | undefined;
}

/** What {@linkcode problemsOf} looks at. */
export interface ProblemFacts {
  /** Where firmware comes from. */
  readonly source: StatusPorts["source"];
  /** What the domain knows. */
  readonly firmware: Omit<FirmwareFacts, "devices">;
  /** Devices that fail. */
  readonly groups: readonly FailingDevices[];
  /** How much is kept. */
  readonly cache: ReturnType<StatusPorts["cache"]>;
  /** How many downloads run. */
  readonly downloads: ReturnType<StatusPorts["downloads"]>;
  /** The broker; undefined where there is none. */
  readonly broker: BrokerFacts | undefined;
}

/** How the source is called in a sentence. */
const SOURCE_NAMES = { registry: "registry", layout: "folder of layouts" } as const;

interface Words {
  /** Goes on after "Checks fail: ". */
  readonly title: string;
  readonly next: string;
}

/** For a failed check of a device, by its code. Most common at the top. */
const WORDS: Readonly<Partial<Record<FailureFacts["code"], Words>>> = {
  "artifact-invalid": {
    title: "the newest artifact is not accepted",
    next: "Push the firmware again under a higher version, or delete the tag. " +
      "It is looked at again within five minutes.",
  },
  "signature-invalid": {
    title: "the newest firmware is not signed as it should be",
    next: "Sign it with a key, or as an identity, that the configuration names; its signature is " +
      "looked for again within five minutes. If nobody of yours has pushed it, find out who has.",
  },
  "source-refused": {
    title: "access is refused",
    next: "See that the user of --registry-username may read these repositories, " +
      "and that its password or token is still valid.",
  },
  "source-invalid": {
    title: "the answer is none of a registry's",
    next: "See that --registry-url names the registry itself, and that no proxy or login page " +
      "answers in its place.",
  },
  "storage-failed": {
    title: "firmware cannot be stored",
    next: "Make room on the disk of the cache folder, or set a lower --cache-max-bytes, " +
      "and see that the folder can be written.",
  },
  "source-unavailable": {
    title: "there was no answer",
    next: "Wait: they are tried again by themselves. If it lasts, look into the registry's log.",
  },
  "source-timeout": {
    title: "there was no answer in time",
    next: "Wait: they are tried again by themselves. If it lasts, see how busy the registry is, " +
      "or set a longer --registry-timeout.",
  },
  "firmware-unknown": {
    title: "there is no firmware",
    next: "Push a firmware under a tag that is a semantic version, such as 1.0.0.",
  },
  unexpected: {
    title: "the reason is an error of OtaFlux itself",
    next: "Start it with --log-level debug, and report what it logs.",
  },
};

/** For what a check of a device does not end with, as far as is known. */
const OTHER_WORDS: Words = {
  title: "firmware cannot be had",
  next: "Wait: they are tried again by themselves. If it lasts, see the reasons.",
};

/**
 * All that is wrong now, the worst first. Besides the codes of errors there are `source-away`,
 * `broker-away`, `cache-too-small`, `cache-altered`, `memory-too-small` and `downloads-full`.
 *
 * @param facts What is known.
 * @returns Nothing where all is well.
 */
export function problemsOf(facts: ProblemFacts): Problem[] {
  return [
    sourceAway(facts),
    ...facts.groups.map((group) => checksFail(group, facts)),
    brokerAway(facts),
    downloadsFull(facts),
    fetchesAgain(facts),
    memoryTooSmall(facts),
  ].filter((problem) => problem !== undefined);
}

function sourceAway({ source, firmware: { silence } }: ProblemFacts): Problem | undefined {
  if (silence === undefined) return undefined;
  const isRegistry = source.kind === "registry";
  return {
    code: "source-away",
    title: isRegistry ? "The registry does not answer" : "The folder of layouts cannot be read",
    detail: `For ${durationInWords(silence.agoMs)}. Devices that are listed with a version go ` +
      "on being served it; others are told to come back.",
    reason: silence.reason,
    next: isRegistry
      ? `${adviseNetwork(silence.reason) ?? seeThatItRuns(source.name)}.`
      : `See that ${source.name} is mounted, and that OtaFlux may read it.`,
    devices: undefined,
  };
}

function seeThatItRuns(registry: string): string {
  return `See that ${registry} runs, and that this machine reaches it: its network, its name in ` +
    "DNS, a firewall, a certificate";
}

function checksFail(
  group: FailingDevices,
  { source, firmware: { silence } }: ProblemFacts,
): Problem | undefined {
  const isSilence = group.code === "source-unavailable" || group.code === "source-timeout";
  // It was said already, for all devices.
  if (silence !== undefined && isSilence) return undefined;
  const { title, next } = WORDS[group.code] ?? OTHER_WORDS;
  const { count, unserved } = group;
  const [subject, verb, object] = count === 1 ? ["It", "goes", "it"] : ["They", "go", "them"];
  const served = `${subject} ${verb} on being served what was verified before.`;
  const none = count === 1
    ? "There is nothing to serve it."
    : `${
      unserved === count ? "There is nothing to serve" : `There is nothing to serve ${unserved} of`
    } ${object}.`;
  return {
    code: group.code,
    title: `Checks of ${counted(count, "device")} at the ${SOURCE_NAMES[source.kind]} fail: ` +
      title,
    detail: unserved === 0 ? served : unserved === count ? none : `${none} The others ` +
      "go on being served what was verified before.",
    reason: undefined,
    next,
    devices: group,
  };
}

function brokerAway({ broker }: ProblemFacts): Problem | undefined {
  if (broker === undefined || broker.isConnected) return undefined;
  return {
    code: "broker-away",
    title: "The MQTT broker is not connected",
    detail: `${counted(broker.pending, "notification")} for it ` +
      `${broker.pending === 1 ? "waits" : "wait"}. Devices that poll are answered as ever.`,
    reason: broker.outage?.reason,
    next: `${broker.outage?.next ?? "See that the broker runs and accepts the user"}.`,
    devices: undefined,
  };
}

function downloadsFull({ downloads: { underWay, limit } }: ProblemFacts): Problem | undefined {
  if (underWay < limit) return undefined;
  return {
    code: "downloads-full",
    title: `All ${counted(limit, "download")} that may run at once are under way`,
    detail: "Other devices are told when to come back.",
    reason: undefined,
    next: "Wait. If the network could carry more, set a higher --max-downloads.",
    devices: undefined,
  };
}

/** To let go of what nobody asks for is what a bounded cache is for; to fetch it again is not. */
function fetchesAgain({ cache, firmware }: ProblemFacts): Problem | undefined {
  const { count, lastAgoMs = Infinity } = firmware.fetchedAgain;
  if (lastAgoMs >= RECENT_MS) return undefined;
  const times = count === 1 ? "once" : counted(count, "time");
  const detail = `${times.charAt(0).toUpperCase()}${times.slice(1)} since the start, the last ` +
    `${durationInWords(lastAgoMs)} ago, firmware had to be fetched again that was stored before.`;
  if (cache.bytes >= FULL * cache.maxBytes) {
    return {
      code: "cache-too-small",
      title: "The cache lets go of firmware that devices still ask for",
      detail,
      reason: undefined,
      next: `Set --cache-max-bytes higher than ${bytesInWords(cache.maxBytes)}.`,
      devices: undefined,
    };
  }
  return {
    code: "cache-altered",
    title: "Firmware has vanished from the cache, or was changed in it",
    detail,
    reason: undefined,
    next: "See who else writes into the cache folder, and whether its disk is sound.",
    devices: undefined,
  };
}

function memoryTooSmall({ firmware: { places, tracked } }: ProblemFacts): Problem | undefined {
  if (tracked <= places.limit) return undefined;
  return {
    code: "memory-too-small",
    title: "More devices ask than are kept in memory",
    detail: `${counted(tracked, "device")} asked lately, ${
      counted(places.limit, "place")
    } there are. The others are read from the cache, or checked, when they ask.`,
    reason: undefined,
    next: `Set --cache-size to ${tracked.toLocaleString("en", { useGrouping: false })} or more.`,
    devices: undefined,
  };
}
