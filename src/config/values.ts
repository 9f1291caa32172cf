/**
 * Readers of the kinds of values that flags take. Each throws a RangeError for what it cannot read;
 * what it takes instead stands in `takes`, for help and errors.
 *
 * @module
 */

import { readConstraint } from "../selection.ts";

/** A kind of value. */
export interface ValueKind<T> {
  /** What it takes, to follow "takes": with an example and the unit. */
  readonly takes: string;
  /** Reads a value, or throws a RangeError. */
  readonly parse: (text: string) => T;
  /** All values that there are, where they can be listed. */
  readonly words?: readonly string[];
}

/** A host and a port to listen on. */
export interface ListenAddress {
  /** A name or an IP address, without brackets. */
  readonly hostname: string;
  /** 0 for any free port. */
  readonly port: number;
}

const MS_PER_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const BYTES_PER_UNIT = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
} as const;

/** Setting this long a timer would overflow it: 2^31 - 1 milliseconds, about 24.8 days. */
const TIMER_LIMIT_MS = 2 ** 31 - 1;

/** Any text. */
export const text: ValueKind<string> = {
  takes: "any text",
  parse: (value) => value,
};

/** A path of a file or folder. */
export const path: ValueKind<string> = {
  takes: "a path",
  parse: (value) => {
    if (value === "" || value.includes("\0")) throw new RangeError("not a path");
    return value;
  },
};

/**
 * A choice among words.
 *
 * @param words The words.
 * @returns The kind.
 */
export function oneOf<const T extends string>(words: readonly T[]): ValueKind<T> {
  return {
    takes: `one of ${words.join(", ")}`,
    words,
    parse: (value) => {
      const word = words.find((candidate) => candidate === value.toLowerCase());
      if (word === undefined) throw new RangeError("no such word");
      return word;
    },
  };
}

/**
 * A whole number.
 *
 * @param unit What is counted, in the plural.
 * @param bounds The smallest and the largest number.
 * @returns The kind.
 */
export function wholeNumber(
  unit: string,
  { min, max }: { readonly min: number; readonly max: number },
): ValueKind<number> {
  return {
    takes: `a whole number of ${unit} from ${min} to ${max}`,
    parse: (value) => {
      const number = /^\d+$/.test(value) ? Number(value) : NaN;
      if (!(number >= min && number <= max)) throw new RangeError("out of bounds");
      return number;
    },
  };
}

/** A switch, as environment variables write it. */
export const boolean: ValueKind<boolean> = {
  takes: "true or false",
  parse: (value) => {
    const word = value.toLowerCase();
    if (["true", "1", "yes", "on"].includes(word)) return true;
    if (["false", "0", "no", "off"].includes(word)) return false;
    throw new RangeError("neither true nor false");
  },
};

/**
 * A span of time, in milliseconds.
 *
 * @param bounds The shortest span, in milliseconds; 0 allows a plain `0`.
 * @returns The kind.
 */
export function duration({ minMs }: { readonly minMs: number }): ValueKind<number> {
  return {
    takes: `a duration such as 500ms, 60s, 5m or 24h${minMs === 0 ? ", or 0" : ""}`,
    parse: (value) => {
      if (value === "0" && minMs === 0) return 0;
      const ms = amount(value, MS_PER_UNIT);
      if (ms < minMs || ms > TIMER_LIMIT_MS) throw new RangeError("out of bounds");
      return ms;
    },
  };
}

/** Without a cache folder a firmware is one buffer, and 2 GiB is what all systems can give. */
const FIRMWARE_LIMIT_BYTES = 2 * 1024 ** 3;

/** The size of a firmware in bytes. */
export const firmwareSize: ValueKind<number> = {
  takes: "a size such as 65536, 512KiB, 256MiB or 1GiB, 2GiB at most",
  parse: (value) => {
    const size = bytes.parse(value);
    if (size > FIRMWARE_LIMIT_BYTES) throw new RangeError("out of bounds");
    return size;
  },
};

/** A number of bytes, at least one. */
export const bytes: ValueKind<number> = {
  takes: "a size such as 65536, 512KiB, 256MiB or 1GiB",
  parse: (value) => {
    const size = /^\d+$/.test(value) ? Number(value) : amount(value, BYTES_PER_UNIT);
    if (!Number.isSafeInteger(size) || size < 1) throw new RangeError("out of bounds");
    return size;
  },
};

/** Where to listen. */
export const listenAddress: ValueKind<ListenAddress> = {
  takes: "an address such as 0.0.0.0:8080, [::]:8080 or localhost:8080",
  parse: (value) => {
    const [, v6, name, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value) ??
      [];
    const port = Number(digits);
    const hostname = v6 ?? name;
    if (hostname === undefined || !(port <= 65535)) throw new RangeError("not an address");
    return { hostname, port };
  },
};

/** A name and a value, parted by the first `=`. */
export const assignment: ValueKind<readonly [name: string, value: string]> = {
  takes: "name=value",
  parse: (text) => {
    const [, name, value] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new RangeError("no assignment");
    return [name, value];
  },
};

/** A regular expression of JavaScript's that matches a text from its beginning to its end. */
export const wholeMatch: ValueKind<RegExp> = {
  takes: "a regular expression such as https://ci\\.example\\.com/.+",
  parse: (value) => {
    try {
      // By itself first: "a)|(?:b" would be valid between the anchors, and not be anchored.
      new RegExp(value);
      if (value !== "") return new RegExp(`^(?:${value})$`);
    } catch {
      // Said below.
    }
    throw new RangeError("not a regular expression");
  },
};

/** A registry's address as it is written: the scheme may be missing. */
export const registryUrl: ValueKind<string> = {
  takes: "https://host[:port], http://host[:port] or host[:port], a path may follow, " +
    "but no user name, password or query",
  parse: (value) => {
    const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `https://${value}`);
    const isPlain = url !== null && ["http:", "https:"].includes(url.protocol) &&
      url.hostname !== "" && url.username === "" && url.password === "" &&
      url.search === "" && url.hash === "";
    if (!isPlain) throw new RangeError("not a registry");
    return value;
  },
};

/** A broker's address. */
export const mqttUrl: ValueKind<URL> = {
  takes: "mqtt://, mqtts://, ws:// or wss:// with host[:port], " +
    "?client_id=name may follow, and user:password@ may precede the host",
  parse: (value) => {
    const url = parseUrl(value);
    const { protocol, hostname, username, password, pathname, searchParams, hash } = url;
    const isWebSocket = ["ws:", "wss:"].includes(protocol);
    const isPlain = ["", "/"].includes(pathname) &&
      [...searchParams.keys()].every((name) => name === "client_id");
    const isBroker = isWebSocket || ["mqtt:", "mqtts:"].includes(protocol) && isPlain;
    if (!isBroker || hostname === "" || hash !== "") throw new RangeError("not a broker");
    if (username === "" && password !== "") throw new RangeError("a password of nobody");
    if (!isWellEscaped(username + password)) throw new RangeError("not well escaped");
    return url;
  },
};

/** Leaves room for the longest device id: a topic is 65,535 bytes at most. */
const TOPIC_MAX_LENGTH = 1000;

/** A topic, or its beginning. */
export const mqttTopic: ValueKind<string> = {
  takes: "a topic without + and #",
  parse: (value) => {
    if (value.length > TOPIC_MAX_LENGTH || /[+#\0]/.test(value) || !value.isWellFormed()) {
      throw new RangeError("not a topic");
    }
    return value;
  },
};

/** Where the service is reached from outside. */
export const publicUrl: ValueKind<string> = {
  takes: "https://host[:port] or http://host[:port], a path may follow",
  parse: (value) => {
    const url = parseUrl(value);
    const isPlain = ["http:", "https:"].includes(url.protocol) && url.username === "" &&
      url.password === "" && url.search === "" && url.hash === "";
    if (!isPlain) throw new RangeError("not an address");
    return url.href;
  },
};

function parseUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null) throw new RangeError("not an address");
  return url;
}

function isWellEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function amount(value: string, units: Readonly<Record<string, number>>): number {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(value) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) throw new RangeError("no such unit");
  return Math.round(Number(digits) * factor);
}

/** A range of versions. */
export const constraint: ValueKind<string> = {
  takes: "a range of versions such as ^1.2 or >=1 <2",
  parse: (value) => {
    const range = readConstraint(value);
    if (range === undefined) throw new RangeError("not a range");
    return range;
  },
};

/** Where a page comes from, as browsers write it in `Origin` (RFC 6454, 6.2). */
export const origin: ValueKind<string> = {
  takes: "an origin such as https://example.com or http://localhost:8000, or * for all",
  parse: (value) => {
    if (value === "*") return value;
    const url = URL.parse(value);
    const isPlain = url !== null && ["http:", "https:"].includes(url.protocol) &&
      !url.hostname.includes("*") && [url.origin, `${url.origin}/`].includes(value.toLowerCase());
    if (!isPlain) throw new RangeError("not an origin");
    return url.origin;
  },
};
