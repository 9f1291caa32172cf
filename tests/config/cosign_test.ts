import assert from "node:assert/strict";
import type { CosignConfig } from "../../src/config/cosign.ts";
import { complaintIn, configIn, type World } from "../helpers/config.ts";

const FILES: Readonly<Record<string, string>> = {
  "/a.pub": "A",
  "/keys/b.pub": "B",
  "/keys/c.pub": "C",
  "/keys/private.key": "never read",
  "/root.json": "{}",
};
const FOLDERS: World["folders"] = {
  "/keys/": ["c.pub", "private.key", "b.pub"],
  "/empty": ["private.key"],
  "/forbidden": undefined,
};

const WORLD = { files: FILES, folders: FOLDERS };
const REGISTRY = "--registry-url=https://registry.example";

function read(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): CosignConfig | undefined {
  return configIn({ ...WORLD, env }, [REGISTRY, ...args]).cosign;
}

const KEYLESS = [
  "--cosign-certificate-oidc-issuer=https://issuer.example",
  "--cosign-trusted-root-path=/root.json",
];

Deno.test("readConfig() wants no signatures unless a key or an identity is given", () => {
  assert.equal(read([]), undefined);
  assert.equal(read(["--cosign-min-signatures=1"], { COSIGN_REQUIRE_VERSION: "no" }), undefined);
});

Deno.test("readConfig() reads public keys, several ones and those of folders", () => {
  const paths = ["--cosign-pub-key-path=/a.pub", "--cosign-pub-key-path=/keys/"];
  const wanted = {
    keys: [
      { path: "/a.pub", pem: "A" },
      { path: "/keys/b.pub", pem: "B" },
      { path: "/keys/c.pub", pem: "C" },
    ],
    keyless: undefined,
    annotations: {},
    minSignatures: 1,
    requireVersion: false,
  };
  assert.deepEqual(read(paths), wanted);
  assert.deepEqual(read([], { COSIGN_PUB_KEY_PATH: "/a.pub,/keys/" }), wanted);
});

Deno.test("readConfig() reads what signatures must say, and how many there must be", () => {
  const config = read([
    ...["--cosign-pub-key-path=/a.pub", "--cosign-annotation=channel=stable"],
    ...["--cosign-annotation=device={device}", "--cosign-min-signatures=2"],
    "--cosign-require-version",
  ]);
  assert.deepEqual(config?.annotations, { channel: "stable", device: "{device}" });
  assert.deepEqual([config?.minSignatures, config?.requireVersion], [2, true]);
});

Deno.test("readConfig() reads whose certificates count, exactly or by a whole match", () => {
  const exact = read([...KEYLESS, "--cosign-certificate-identity=ci@example.com"]);
  assert.deepEqual(exact?.keyless, {
    identity: "ci@example.com",
    issuer: "https://issuer.example",
    trustedRootPath: "/root.json",
    trustedRoot: "{}",
  });
  assert.deepEqual(exact?.keys, []);
  const pattern = read([...KEYLESS, "--cosign-certificate-identity-regexp=ci@.+|cd"]);
  assert.deepEqual(pattern?.keyless?.identity, /^(?:ci@.+|cd)$/);
});

const KEY = "--cosign-pub-key-path=/a.pub";
const IDENTITY = "--cosign-certificate-identity=ci@example.com";

for (
  const [what, args, message] of [
    [
      "a key that is not there",
      ["--cosign-pub-key-path=/x"],
      /^--cosign-pub-key-path: cannot read/,
    ],
    [
      "no path at all",
      ["--cosign-pub-key-path="],
      /^--cosign-pub-key-path: "" is not/,
    ],
    [
      "a folder without keys",
      ["--cosign-pub-key-path=/empty"],
      /"\/empty" .* folder of .pub files$/,
    ],
    [
      "a folder that is closed",
      ["--cosign-pub-key-path=/forbidden"],
      /"\/forbidden" is not valid, it takes a folder that can be read$/,
    ],
    [
      "a version without a key",
      ["--cosign-require-version"],
      /^--cosign-require-version says noth/,
    ],
    ["a number without a key", ["--cosign-min-signatures=2"], /^--cosign-min-signatures says noth/],
    ["an annotation without a key", ["--cosign-annotation=a=b"], /^--cosign-annotation says noth/],
    ["no signature at all", [KEY, "--cosign-min-signatures=0"], /"0" is not valid/],
    ["an identity without the rest", [KEY, IDENTITY], /need all of --cosign-certificate-identity/],
    ["an issuer without an identity", KEYLESS, /need all of --cosign-certificate-identity/],
    ["an empty identity", [...KEYLESS, "--cosign-certificate-identity="], /need all of/],
    ["two identities", [...KEYLESS, IDENTITY, "--cosign-certificate-identity-regexp=a"], /exclude/],
    [
      "a root that is not there",
      [KEYLESS[0] ?? "", IDENTITY, "--cosign-trusted-root-path=/x"],
      /^--cosign-trusted-root-path: cannot read/,
    ],
  ] as const
) {
  Deno.test(`readConfig() refuses ${what} in one line`, () => {
    assert.match(complaintIn(WORLD, [REGISTRY, ...args]), message);
  });
}
