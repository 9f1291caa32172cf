import assert from "node:assert/strict";
import fc from "fast-check";
import * as kinds from "../../src/config/values.ts";

const DAY_MS = 86_400_000;
const positive = kinds.duration({ minMs: 1 });
const orZero = kinds.duration({ minMs: 0 });

/** What each kind takes, and as what. */
const TAKEN: readonly (readonly [string, kinds.ValueKind<unknown>, string, unknown])[] = [
  ["text", kinds.text, "any thing", "any thing"],
  ["text", kinds.text, "", ""],
  ["path", kinds.path, "/run/secrets/pass word", "/run/secrets/pass word"],
  ["oneOf", kinds.oneOf(["info", "warn"]), "warn", "warn"],
  ["oneOf", kinds.oneOf(["info", "warn"]), "WARN", "warn"],
  ["wholeNumber", kinds.wholeNumber("devices", { min: 1, max: 50 }), "1", 1],
  ["wholeNumber", kinds.wholeNumber("devices", { min: 1, max: 50 }), "50", 50],
  ["wholeNumber", kinds.wholeNumber("devices", { min: 1, max: 50 }), "007", 7],
  ...["true", "1", "yes", "on", "TRUE", "On"].map((word) =>
    ["boolean", kinds.boolean, word, true] as const
  ),
  ...["false", "0", "no", "off", "FALSE"].map((word) =>
    ["boolean", kinds.boolean, word, false] as const
  ),
  ["duration", positive, "1ms", 1],
  ["duration", positive, "30s", 30_000],
  ["duration", positive, "1.5s", 1500],
  ["duration", positive, "0.5m", 30_000],
  ["duration", positive, "24h", DAY_MS],
  ["duration", positive, "24d", 24 * DAY_MS],
  ["duration", positive, "2147483647ms", 2 ** 31 - 1],
  ["duration", orZero, "0", 0],
  ["duration", orZero, "0s", 0],
  ["assignment", kinds.assignment, "channel=stable", ["channel", "stable"]],
  ["assignment", kinds.assignment, "a.b/c=d=e f", ["a.b/c", "d=e f"]],
  ["assignment", kinds.assignment, "empty=", ["empty", ""]],
  ["wholeMatch", kinds.wholeMatch, "ci|cd", /^(?:ci|cd)$/],
  ["bytes", kinds.bytes, "1", 1],
  ["bytes", kinds.bytes, "65536", 65_536],
  ["bytes", kinds.bytes, "2147483648", 2 ** 31],
  ["bytes", kinds.bytes, "2GiB", 2 ** 31],
  ["bytes", kinds.bytes, "10B", 10],
  ["bytes", kinds.bytes, "1kB", 1000],
  ["bytes", kinds.bytes, "1KB", 1000],
  ["bytes", kinds.bytes, "1KiB", 1024],
  ["bytes", kinds.bytes, "1.5MiB", 1_572_864],
  ["bytes", kinds.bytes, "256MiB", 268_435_456],
  ["bytes", kinds.bytes, "2MB", 2_000_000],
  ["bytes", kinds.bytes, "1GB", 1_000_000_000],
  ["bytes", kinds.bytes, "1GiB", 1_073_741_824],
  ["bytes", kinds.bytes, "8GiB", 2 ** 33],
  ["firmwareSize", kinds.firmwareSize, "1", 1],
  ["firmwareSize", kinds.firmwareSize, "2147483648", 2 ** 31],
  ["firmwareSize", kinds.firmwareSize, "2GiB", 2 ** 31],
  ["listenAddress", kinds.listenAddress, "0.0.0.0:8080", { hostname: "0.0.0.0", port: 8080 }],
  ["listenAddress", kinds.listenAddress, "localhost:0", { hostname: "localhost", port: 0 }],
  ["listenAddress", kinds.listenAddress, "[::]:8080", { hostname: "::", port: 8080 }],
  ["listenAddress", kinds.listenAddress, "[fe80::1]:65535", { hostname: "fe80::1", port: 65535 }],
  [
    "listenAddress",
    kinds.listenAddress,
    "[::ffff:10.0.0.1]:80",
    { hostname: "::ffff:10.0.0.1", port: 80 },
  ],
  ...[
    "registry.example",
    "registry.example:5000",
    "registry:443",
    "10.0.0.1:5000",
    "[::1]:5000",
    "https://registry.example",
    "http://registry.example:80/",
    "https://[2001:db8::1]",
  ].map((url) => ["registryUrl", kinds.registryUrl, url, url] as const),
  ["origin", kinds.origin, "*", "*"],
  ["origin", kinds.origin, "https://a.example/", "https://a.example"],
  ["origin", kinds.origin, "HTTP://LocalHost:8000", "http://localhost:8000"],
  ["origin", kinds.origin, "https://[::1]:8443", "https://[::1]:8443"],
];

for (const [name, kind, text, value] of TAKEN) {
  Deno.test(`${name} takes ${JSON.stringify(text)}`, () => {
    assert.deepEqual(kind.parse(text), value);
  });
}

const REFUSED: readonly (readonly [string, kinds.ValueKind<unknown>, readonly string[]])[] = [
  ["path", kinds.path, ["", "a\0b"]],
  ["oneOf", kinds.oneOf(["info", "warn"]), ["", "inf", "info ", "error"]],
  [
    "wholeNumber",
    kinds.wholeNumber("devices", { min: 1, max: 50 }),
    ["", "0", "51", "-1", "+1", "1.0", "1e1", "0x1", " 1", "٣", "9".repeat(400)],
  ],
  ["assignment", kinds.assignment, ["", "=", "=value", "name"]],
  ["wholeMatch", kinds.wholeMatch, ["", "(", "a)|(?:b", "[b-a]"]],
  ["boolean", kinds.boolean, ["", "2", "ja", "y", " true", "truefalse"]],
  [
    "duration",
    positive,
    [
      "",
      "0",
      "0s",
      "30",
      "s",
      "1 s",
      "-1s",
      "1S",
      "1sec",
      ".5s",
      "1.s",
      "1,5s",
      "1h30m",
      "0.4ms",
      "25d",
      "2147483648ms",
      `${"9".repeat(400)}s`,
      "1constructor",
    ],
  ],
  ["duration that may be 0", orZero, ["", "00", "60", "-0", "-1s", "25d"]],
  [
    "bytes",
    kinds.bytes,
    [
      "",
      "0",
      "0B",
      "0.4B",
      "-1",
      "1.5",
      "1 MiB",
      "1mib",
      "1M",
      "1TiB",
      "1e6",
      "9007199254740992",
      "9007199254740992B",
      "8388608GiB",
      `${"9".repeat(400)}GiB`,
      "1toString",
    ],
  ],
  ["firmwareSize", kinds.firmwareSize, ["", "0", "2147483649", "2.1GiB", "3GiB", "8388608GiB"]],
  [
    "listenAddress",
    kinds.listenAddress,
    [
      "",
      "8080",
      ":8080",
      "localhost",
      "localhost:",
      "localhost:65536",
      "localhost:-1",
      "localhost:100000",
      "::1:8080",
      "[::1]",
      "[localhost]:80",
      "http://localhost:80",
      "a b:80",
      "localhost:80/",
      "localhost:80\n",
    ],
  ],
  [
    "registryUrl",
    kinds.registryUrl,
    [
      "",
      "https://",
      "ftp://registry.example",
      "file:///etc",
      "https://user@registry.example",
      "https://user:secret@registry.example",
      "user:secret@registry.example",
      "https://registry.example?x=1",
      "https://registry.example#x",
      "registry.example:99999",
      "a b",
      "[::1",
    ],
  ],
  [
    "mqttUrl",
    kinds.mqttUrl,
    [
      "",
      "broker",
      "http://broker",
      "mqtt://",
      "mqtt://:secret@broker",
      "mqtt://a%:b@broker",
      "mqtt://broker/a",
    ],
  ],
  ["publicUrl", kinds.publicUrl, [
    "",
    "ota.example",
    "ftp://ota.example",
    "https://a@ota.example",
    "https://a?b",
  ]],
  [
    "origin",
    kinds.origin,
    [
      "",
      "**",
      "null",
      "a.example",
      "//a.example",
      "ftp://a.example",
      "https://a.example/page",
      "https://a.example?x",
      "https://user@a.example",
      "https://*.a.example",
      "https://a.example, https://b.example",
    ],
  ],
];

for (const [name, kind, texts] of REFUSED) {
  for (const text of texts) {
    Deno.test(`${name} refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => kind.parse(text), RangeError);
    });
  }
}

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS } as const;
const sizeUnits = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

function entriesOf(units: Readonly<Record<string, number>>): fc.Arbitrary<[string, number]> {
  return fc.constantFrom(...Object.entries(units));
}

Deno.test("duration takes any whole number of any unit that a timer can wait, and no more", () => {
  fc.assert(fc.property(entriesOf(durationUnits), fc.nat(), ([unit, factor], count) => {
    const ms = count * factor;
    if (ms <= 2 ** 31 - 1) assert.equal(orZero.parse(`${count}${unit}`), ms);
    else assert.throws(() => orZero.parse(`${count}${unit}`), RangeError);
  }));
});

Deno.test("duration and bytes take thousandths, rounded to the whole", () => {
  const amounts = fc.tuple(fc.nat(2000), fc.nat(999));
  fc.assert(
    fc.property(
      amounts,
      entriesOf(durationUnits),
      entriesOf(sizeUnits),
      ([whole, thousandths], [durationUnit, msFactor], [sizeUnit, bytesFactor]) => {
        const amount = `${whole}.${String(thousandths).padStart(3, "0")}`;
        for (
          const [kind, unit, factor, limit] of [
            [orZero, durationUnit, msFactor, 2 ** 31 - 1],
            [kinds.bytes, sizeUnit, bytesFactor, Infinity],
            [kinds.firmwareSize, sizeUnit, bytesFactor, 2 ** 31],
          ] as const
        ) {
          const exact = (whole * 1000 + thousandths) * factor / 1000;
          if (exact < 1 || exact > limit) continue;
          const parsed = kind.parse(`${amount}${unit}`);
          assert(Number.isInteger(parsed));
          assert(Math.abs(parsed - exact) <= 0.5 + exact * 1e-12, `${amount}${unit}: ${parsed}`);
        }
      },
    ),
  );
});

Deno.test("duration and bytes take nothing but digits with a unit, whatever the text", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[-+ .0-9a-zA-Z]{0,8}$/),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const kind of [orZero, positive, kinds.bytes, kinds.firmwareSize]) {
        let value: number | undefined;
        try {
          value = kind.parse(text);
        } catch (error) {
          assert(error instanceof RangeError);
          continue;
        }
        assert(Number.isSafeInteger(value) && value >= 0);
        assert.match(text, /^\d+(\.\d+)?[a-zA-Z]*$/);
      }
    }),
    { numRuns: 500 },
  );
});
