import assert from "node:assert/strict";
import type { Place } from "../../src/commands/advice.ts";
import { check, type Watched } from "../../src/commands/check.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import type { FirmwareVerifier } from "../../src/firmware/firmware.ts";
import { FirmwareLookup } from "../../src/firmware/lookup.ts";
import { NoStore } from "../../src/store/none.ts";
import { dockerImage, imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource } from "../helpers/fake_source.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf, manifestOf } from "../helpers/manifest.ts";

const DEVICE = "esp32";
const BYTES = firmwareBytes(300_000, 1);
const PLACE: Place = {
  kind: "registry",
  name: "https://registry.example",
  repository: "factory/esp32",
  hasCredentials: true,
};

interface World {
  readonly place?: Partial<Place>;
  readonly verifier?: FirmwareVerifier;
  readonly isTerminal?: boolean;
  readonly maxFirmwareBytes?: number;
}

/** Checks the device, and gives what was written. */
async function run(
  source: FakeSource,
  { place, verifier, isTerminal = false, maxFirmwareBytes = 1_000_000 }: World = {},
): Promise<{ isFine: boolean; text: string }> {
  let text = "";
  const find = ({ source, observer }: Watched): ReturnType<FirmwareLookup["newest"]> =>
    new FirmwareLookup({
      source,
      observer,
      verifier,
      maxFirmwareBytes,
      store: new NoStore(),
      onAnswer: () => {},
    }).newest(DEVICE, undefined);
  const isFine = await check({
    device: DEVICE,
    source,
    place: { ...PLACE, ...place },
    wantsSignature: verifier !== undefined,
    find,
    // A line that is begun anew, in letters.
    write: (more) => text += more.replaceAll("\r\x1b[K", "CLEAR"),
    isTerminal,
  });
  return { isFine, text };
}

/** The lines of one step. */
function stepsOf(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length).trim());
}

Deno.test("check() says each step of a device that is served", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 2)));
  const newest = orasArtifact(BYTES);
  source.push(DEVICE, "v1.10.0", newest);
  source.push(DEVICE, "latest", newest);
  assert.deepEqual(await run(source), {
    isFine: true,
    text: [
      "Device     esp32, in repository factory/esp32 of https://registry.example",
      "Tags       3: 1.0.0, v1.10.0, latest",
      "Version    tag v1.10.0 is chosen",
      `Digest     ${newest.digest}`,
      "Kind       an artifact with 1 layer, its config is application/vnd.oci.empty.v1+json",
      `Layer      ${digestOf(BYTES)}, 300000 bytes of application/vnd.oci.image.layer.v1.tar, ` +
      '"firmware.bin"',
      "Signature  not looked for, see --cosign-pub-key-path",
      "Firmware   300000 bytes, verified",
      `SHA-256    ${digestOf(BYTES).slice("sha256:".length)}`,
      `CRC-32     ${crc32Reference(BYTES)}`,
      "Result     esp32 is served 1.10.0",
      "",
    ].join("\n"),
  });
});

Deno.test("check() asks as the service does, each thing once", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  await run(source);
  assert.deepEqual(source.calls, ["listTags", "fetchManifest", "openBlob"]);
});

Deno.test("check() says of an index and of the image in it what they are", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", imageIndex([await dockerImage({ "firmware.bin": BYTES })]));
  const { isFine, text } = await run(source);
  assert(isFine);
  assert.deepEqual(stepsOf(text, "Kind"), [
    "an index of 1 manifest",
    "a container image with 1 layer",
  ]);
  assert.equal(stepsOf(text, "Digest").length, 2);
});

Deno.test("check() names ten tags and counts the others", async () => {
  const source = new FakeSource();
  for (let patch = 0; patch < 25; patch++) {
    source.push(DEVICE, `1.0.${patch}`, orasArtifact(BYTES));
  }
  const [tags = ""] = stepsOf((await run(source)).text, "Tags");
  assert.match(tags, /^25: 1\.0\.0, .*, 1\.0\.9 and 15 more$/);
});

Deno.test("check() says which tag has no manifest, and goes on with the next", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  const gone = orasArtifact(firmwareBytes(10, 3));
  source.push(DEVICE, "2.0.0", gone);
  source.deleteManifest(gone.digest);
  const { isFine, text } = await run(source);
  assert(isFine);
  assert.deepEqual(stepsOf(text, "Version"), [
    "tag 2.0.0 is chosen",
    "tag 2.0.0 has no manifest",
    "tag 1.0.0 is chosen",
  ]);
});

Deno.test("check() says what became of the signature, before anything is downloaded", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  const valid = { policy: "test", verify: () => Promise.resolve() };
  assert.match((await run(source, { verifier: valid })).text, /^Signature {2}valid\nLayer/m);
  const refusal = new ServiceError("signature-invalid", "Nobody has signed it");
  const invalid = { policy: "test", verify: () => Promise.reject(refusal) };
  const { isFine, text } = await run(source, { verifier: invalid });
  assert(!isFine);
  assert.match(text, /^Signature {2}invalid\nFailed {5}Nobody has signed it\nTry {8}Sign/m);
  assert.doesNotMatch(text, /^Layer/m);
});

Deno.test("check() draws a bar on a terminal only, and takes it away", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  const { text } = await run(source, { isTerminal: true });
  assert.match(text, /CLEAR\[\.{30}\] {3}0 % {2}0\.0 of 0\.3 MB/);
  assert.match(text, /\[#{30}\] 100 % {2}0\.3 of 0\.3 MBCLEARSignature/);
  assert.doesNotMatch((await run(source)).text, /CLEAR/);
});

Deno.test("check() takes the bar away where a download fails", async () => {
  const source = new FakeSource();
  const artifact = orasArtifact(BYTES);
  const lies = new Map([...artifact.blobs].map(([digest]) => [digest, firmwareBytes(300_000, 9)]));
  source.push(DEVICE, "1.0.0", { ...artifact, blobs: lies });
  const { isFine, text } = await run(source, { isTerminal: true });
  assert(!isFine);
  assert.match(text, /MBCLEARFailed {5}\S.*\nTry {8}What the registry delivers is not/);
});

Deno.test("check() hands a mistake of the program's own on", async () => {
  const source = new FakeSource();
  source.failure = new TypeError("undefined is not a function");
  await assert.rejects(run(source), TypeError);
});

/** What is in the way, and what is to be tried then. */
const FAILURES: readonly (readonly [
  what: string,
  prepare: (source: FakeSource) => void,
  advice: RegExp,
  world?: World,
])[] = [
  ["no repository", () => {}, /^There is no repository factory\/esp32: .*oras push registry\.ex/],
  [
    "a folder too deep",
    () => {},
    /^There is no folder \/lay\/factory\/esp32: .* folder above those/,
    {
      place: { kind: "layout", name: "/lay" },
    },
  ],
  [
    "a name in the address",
    () => {},
    /Is \/factory\/esp32 the registry's own, or part of a name\?/,
    {
      place: { name: "https://registry.example/factory/esp32" },
    },
  ],
  ["a folder without a layout", () => {}, /oras push --oci-layout \/lay\/factory\/esp32:1\.0\.0 /, {
    place: { kind: "layout", name: "/lay" },
  }],
  ["no repository by http", () => {}, /oras push --plain-http registry\.example\/factory/, {
    place: { name: "http://registry.example" },
  }],
  ["an address that ends in /v2", () => {}, /^Take \/v2 away from the end of --registry-url/, {
    place: { name: "https://registry.example/v2/" },
  }],
  ["an empty repository", (source) => {
    source.push(DEVICE, "1.0.0", orasArtifact(BYTES));
    source.deleteTag(DEVICE, "1.0.0");
  }, /^The repository is empty/],
  [
    "no tag that is a version",
    (source) => source.push(DEVICE, "latest", orasArtifact(BYTES)),
    /^No tag is a semantic version/,
  ],
  ["tags without manifests", (source) => {
    const artifact = orasArtifact(BYTES);
    source.push(DEVICE, "1.0.0", artifact);
    source.deleteManifest(artifact.digest);
  }, /^The tags that are versions have lost their manifests/],
  [
    "a manifest without layers",
    (source) => source.push(DEVICE, "1.0.0", manifestOf({ layers: [] })),
    /^Push the file itself, oras push/,
  ],
  [
    "too large a firmware",
    (source) => source.push(DEVICE, "1.0.0", orasArtifact(BYTES)),
    /--max-firmware-size$/,
    { maxFirmwareBytes: 1000 },
  ],
];

for (const [what, prepare, advice, world] of FAILURES) {
  Deno.test(`check() knows what to try where there is ${what}`, async () => {
    const source = new FakeSource();
    prepare(source);
    const { isFine, text } = await run(source, world);
    assert(!isFine);
    assert.equal(stepsOf(text, "Failed").length, 1);
    const [try_ = ""] = stepsOf(text, "Try");
    assert.match(try_, advice);
    assert.doesNotMatch(text, /^Result/m);
  });
}

/** Failures of the source itself, in the words that the runtime has for them. */
const SILENCES: readonly (readonly [ErrorCode, cause: string, advice: RegExp])[] = [
  ["source-unavailable", "tcp connect error: Connection refused (os error 111)", /^Nobody listens/],
  [
    "source-unavailable",
    "received corrupt message of type InvalidContentType",
    /--registry-insecu/,
  ],
  ["source-unavailable", "dns error: failed to lookup address information", /registry's name/],
  ["source-unavailable", "invalid peer certificate: UnknownIssuer", /--registry-ca-cert-path/],
  ["source-unavailable", "invalid peer certificate: Expired", /look at the clock first/],
  ["source-unavailable", "invalid peer certificate: NotValidYet", /look at the clock first/],
  [
    "source-unavailable",
    "invalid peer certificate: certificate expired: ver",
    /at the clock first/,
  ],
  ["source-unavailable", 'certificate: certificate not valid for name "a"', /is for another name/],
  ["source-unavailable", "invalid peer certificate: Other(CaUsedAsEndEntity)", /CA:FALSE/],
  ["source-unavailable", "registry answered 503", /overloaded or fails/],
  ["source-unavailable", "network unreachable", /firewall or a proxy/],
  ["source-timeout", "", /--registry-timeout$/],
  ["source-refused", "", /^Are --registry-username and its password right/],
  ["source-invalid", "", /^What answers there is not a registry/],
  ["device-invalid", "", /lower-case letters/],
  ["selection-unmatched", "", /--default-constraint and --prerelease$/],
  ["events-full", "", /docs\/operations\.md/],
];

for (const [code, cause, advice] of SILENCES) {
  Deno.test(`check() knows what to try after ${code} ${cause}`, async () => {
    const source = new FakeSource();
    source.failure = new ServiceError(code, "Registry cannot be reached", { cause });
    const { isFine, text } = await run(source);
    assert(!isFine);
    assert.match(stepsOf(text, "Try")[0] ?? "", advice);
  });
}

for (
  const [code, message, advice] of [
    [
      "source-unavailable",
      "Cannot get a token from localhost:3000, where the registry sends us",
      /^The registry itself names this address/,
    ],
    [
      "source-timeout",
      "Cannot get a token from localhost:3000, where the registry sends us",
      /^The registry itself names this address/,
    ],
    [
      "source-invalid",
      "Cannot get a token from localhost:3000: the answer is 404",
      /^The registry itself names this address/,
    ],
    [
      "source-invalid",
      "Registry names a token server that is not to be trusted: http://git.example",
      /with https:\/\/ where --registry-url has it$/,
    ],
    [
      "source-invalid",
      `Cannot list tags of "${DEVICE}": registry answered 404`,
      /^What answers there is not a registry.* where no user or organisation is called "factory": /,
    ],
    ["source-invalid", "Cannot list tags: registry answered 400", /speaks TLS$/],
  ] as const
) {
  Deno.test(`check() knows what to try after ${code} ${message}`, async () => {
    const source = new FakeSource();
    source.failure = new ServiceError(code, message);
    const { text } = await run(source);
    assert.match(stepsOf(text, "Try")[0] ?? "", advice);
  });
}

Deno.test("check() asks for credentials where there are none", async () => {
  const source = new FakeSource();
  source.failure = new ServiceError("source-refused", "401");
  const { text } = await run(source, { place: { hasCredentials: false } });
  assert.match(text, /^Try {8}The registry wants to know who asks: give --registry-username/m);
});
