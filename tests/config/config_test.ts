import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { flagOf, type Setting, SETTINGS, variableOf } from "../../src/config/settings.ts";
import { complaintIn, configIn, readIn, type World } from "../helpers/config.ts";

/** A certificate, self-signed and good for a hundred years. */
const PEM = `-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIUUEbsxw40gu3k+mruyxbP5B1qXQQwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHRXhhbXBsZTAgFw0yNjExMjQwODE5MDRaGA8yMTI2MTAzMTA4
MTkwNFowEjEQMA4GA1UEAwwHRXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABINnggnRpya889xg2FVKZ3RDsjB9brLf8nEG+Oh/bEnzvM/Qy+GCLmhMWPqi
uMMR/zn7pJcc5/SyiSimObEppK+jUzBRMB0GA1UdDgQWBBQKgSH9knShz2zaMErr
sg4ftsG5djAfBgNVHSMEGDAWgBQKgSH9knShz2zaMErrsg4ftsG5djAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIBydY+Xz3a+AnzL3bmK8EdfpWgt5
t93TPLwSkrtyFFJhAiBc99TQNN+Sm1bNcoO7m/MV22XM95kzl7fHeSw1hZLvSg==
-----END CERTIFICATE-----
`;
const URL_FLAG = ["--registry-url", "registry.example"];

/** A world with a folder of layouts, unless it has others. */
function withLayouts({ folders = { "/layouts": [] }, ...world }: World): World {
  return { ...world, folders };
}

function read(args: readonly string[], world: World = {}): Config | string {
  return readIn(withLayouts(world), args);
}

function configOf(args: readonly string[], world: World = {}): Config {
  return configIn(withLayouts(world), args);
}

function complaintOf(args: readonly string[], world: World = {}): string {
  return complaintIn(withLayouts(world), args);
}

function registryOf(config: Config): Config["source"] & { kind: "registry" } {
  assert(config.source.kind === "registry");
  return config.source;
}

Deno.test("readConfig() has defaults for all but the source", () => {
  assert.deepEqual(configOf(URL_FLAG), {
    command: "serve",
    source: {
      kind: "registry",
      url: new URL("https://registry.example"),
      credentials: undefined,
      passwordFile: undefined,
      caCertificates: [],
      timeoutMs: 30_000,
    },
    repositoryPrefix: "",
    cosign: undefined,
    listen: { hostname: "0.0.0.0", port: 8080 },
    metricsListen: { hostname: "0.0.0.0", port: 9090 },
    cacheSize: 100,
    cacheDirectory: undefined,
    cacheMaxBytes: 268_435_456,
    refreshIntervalMs: 60_000,
    trackForMs: 86_400_000,
    unknownForMs: 10_000,
    concurrency: 8,
    idleMs: 60_000,
    noDowngrade: false,
    selection: {},
    maxFirmwareBytes: 268_435_456,
    corsOrigins: [],
    webhookSecret: undefined,
    edge: { maxDownloads: 200, tls: undefined, deviceTokenFile: undefined },
    mqtt: undefined,
    logLevel: "info",
    logFormat: "text",
    warnings: [],
  });
});

/** Each setting: two values, where the configuration has them, and as what. */
const VALUES: readonly (readonly [
  keyof typeof SETTINGS,
  readonly [string, string],
  (config: Config) => unknown,
  readonly [unknown, unknown],
])[] = [
  ["registryUrl", ["a.example:1", "http://b.example"], (config) => registryOf(config).url.href, [
    "https://a.example:1/",
    "http://b.example/",
  ]],
  ["repositoryPrefix", ["factory", "a/b"], (config) => config.repositoryPrefix, ["factory", "a/b"]],
  [
    "registryUsername",
    ["alice", "bob"],
    (config) => registryOf(config).credentials?.username,
    ["alice", "bob"],
  ],
  [
    "registryPassword",
    ["open", "sesame "],
    (config) => registryOf(config).credentials?.password,
    ["open", "sesame "],
  ],
  [
    "registryPasswordFile",
    ["/open", "/sesame"],
    (config) => registryOf(config).credentials?.password,
    ["of /open", "of /sesame"],
  ],
  [
    "registryCaCertPath",
    ["/ca.pem", "/other.pem"],
    (config) => registryOf(config).caCertificates,
    [[PEM.trim()], [PEM.trim(), PEM.trim()]],
  ],
  ["registryTimeout", ["1s", "2m"], (config) => registryOf(config).timeoutMs, [1000, 120_000]],
  ["listenAddr", ["localhost:1", "[::1]:2"], (config) => config.listen, [
    { hostname: "localhost", port: 1 },
    { hostname: "::1", port: 2 },
  ]],
  ["metricsListenAddr", ["[::]:1", "m:2"], (config) => config.metricsListen, [
    { hostname: "::", port: 1 },
    { hostname: "m", port: 2 },
  ]],
  ["cacheSize", ["1", "1000000"], (config) => config.cacheSize, [1, 1_000_000]],
  ["cacheDir", ["/cache", "cache"], (config) => config.cacheDirectory, ["/cache", "cache"]],
  ["cacheMaxBytes", ["1", "4GiB"], (config) => config.cacheMaxBytes, [1, 2 ** 32]],
  ["refreshInterval", ["0", "5m"], (config) => config.refreshIntervalMs, [0, 300_000]],
  ["trackFor", ["0", "1h"], (config) => config.trackForMs, [0, 3_600_000]],
  ["unknownFor", ["0", "1m"], (config) => config.unknownForMs, [0, 60_000]],
  ["registryConcurrency", ["1", "1000"], (config) => config.concurrency, [1, 1000]],
  [
    "webhookSecretFile",
    ["/open", "/sesame"],
    (config) => config.webhookSecret,
    ["of /open", "of /sesame"],
  ],
  ["idleTimeout", ["100ms", "2m"], (config) => config.idleMs, [100, 120_000]],
  ["corsOrigin", ["https://a.example", "*"], ({ corsOrigins }) => corsOrigins, [
    ["https://a.example"],
    ["*"],
  ]],
  ["defaultConstraint", ["^1", " >=1   <2 "], ({ selection }) => selection.constraint, [
    "^1",
    ">=1 <2",
  ]],
  ["prerelease", ["false", "true"], ({ selection }) => selection.prerelease, [false, true]],
  ["maxFirmwareSize", ["1", "1GiB"], (config) => config.maxFirmwareBytes, [1, 2 ** 30]],
  ["maxDownloads", ["1", "5000"], (config) => config.edge.maxDownloads, [1, 5000]],
  ["deviceTokenFile", ["/t", "t"], (config) => config.edge.deviceTokenFile, ["/t", "t"]],
  ["logLevel", ["debug", "ERROR"], (config) => config.logLevel, ["debug", "error"]],
  ["logFormat", ["json", "text"], (config) => config.logFormat, ["json", "text"]],
];
const files = {
  "/closed": undefined,
  "/empty": "\n",
  "/open": "of /open",
  "/sesame": "of /sesame",
  "/ca.pem": PEM,
  "/broken.pem": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
  "/other.pem": `${PEM}${PEM}`,
};

for (const [key, [first, second], pick, [one, two]] of VALUES) {
  const [flag, variable] = [flagOf(key), variableOf(key)];
  const base = key === "registryUrl" ? [] : URL_FLAG;

  Deno.test(`readConfig() reads ${flag} and ${variable}, and the flag wins`, () => {
    assert.deepEqual(pick(configOf([...base, flag, first], { files })), one);
    assert.deepEqual(pick(configOf([...base, `${flag}=${second}`], { files })), two);
    assert.deepEqual(pick(configOf(base, { files, env: { [variable]: second } })), two);
    const both = { files, env: { [variable]: second } };
    assert.deepEqual(pick(configOf([...base, flag, first], both)), one);
  });

  Deno.test(`readConfig() takes an empty ${variable} for none`, () => {
    const fallback = ["--registry-url", "registry.example"];
    const unset = pick(configOf(fallback));
    assert.deepEqual(pick(configOf(fallback, { env: { [variable]: "" } })), unset);
  });
}

Deno.test("readConfig() reads a switch as flag and as variable", () => {
  const protocol = (args: readonly string[], value = ""): string =>
    registryOf(configOf([...URL_FLAG, ...args], { env: { REGISTRY_INSECURE: value } })).url
      .protocol;
  assert.equal(protocol([]), "https:");
  assert.equal(protocol(["--registry-insecure"]), "http:");
  assert.equal(protocol([], "true"), "http:");
  assert.equal(protocol([], "0"), "https:");
  assert.equal(protocol(["--registry-insecure"], "false"), "http:");
});

Deno.test("readConfig() reads a switch whose name begins with no", () => {
  const noDowngrade = (args: readonly string[], value = ""): boolean =>
    configOf([...URL_FLAG, ...args], { env: { NO_DOWNGRADE: value } }).noDowngrade;
  assert.equal(noDowngrade([]), false);
  assert.equal(noDowngrade(["--no-downgrade"]), true);
  assert.equal(noDowngrade([], "true"), true);
});

Deno.test("readConfig() keeps four times as much in a folder as in memory", () => {
  assert.equal(configOf([...URL_FLAG, "--cache-dir=/cache"]).cacheMaxBytes, 2 ** 30);
  assert.equal(configOf(URL_FLAG, { env: { CACHE_DIRECTORY: "/cache" } }).cacheMaxBytes, 2 ** 30);
});

for (
  const [what, args, env, directory] of [
    ["the folder that systemd sets", [], { CACHE_DIRECTORY: "/s" }, "/s"],
    ["the first folder that systemd sets", [], { CACHE_DIRECTORY: "/s:/t" }, "/s"],
    ["--cache-dir before systemd's", ["--cache-dir=/c"], { CACHE_DIRECTORY: "/s" }, "/c"],
    ["CACHE_DIR before systemd's", [], { CACHE_DIR: "/c", CACHE_DIRECTORY: "/s" }, "/c"],
    ["no folder where systemd's is empty", [], { CACHE_DIRECTORY: "" }, undefined],
  ] as const
) {
  Deno.test(`readConfig() takes ${what}`, () => {
    assert.equal(configOf([...URL_FLAG, ...args], { env }).cacheDirectory, directory);
  });
}

Deno.test("readConfig() reads --layout-dir and LAYOUT_DIR instead of a registry", () => {
  const expected = { kind: "layout", directory: "/layouts" };
  assert.deepEqual(configOf(["--layout-dir", "/layouts"]).source, expected);
  assert.deepEqual(configOf([], { env: { LAYOUT_DIR: "/layouts" } }).source, expected);
});

for (
  const [text, secure, insecure] of [
    ["h.example", "https://h.example/", "http://h.example/"],
    ["h.example:5000", "https://h.example:5000/", "http://h.example:5000/"],
    ["h.example:443", "https://h.example/", "http://h.example:443/"],
    ["h.example:80", "https://h.example:80/", "http://h.example/"],
    ["10.0.0.1:5000", "https://10.0.0.1:5000/", "http://10.0.0.1:5000/"],
    ["[::1]:5000", "https://[::1]:5000/", "http://[::1]:5000/"],
    ["http://h.example", "http://h.example/", "http://h.example/"],
    ["https://h.example", "https://h.example/", "http://h.example/"],
    ["https://h.example:443", "https://h.example/", "http://h.example:443/"],
    ["HTTPS://H.example:5000/", "https://h.example:5000/", "http://h.example:5000/"],
    ["docker.io", "https://registry-1.docker.io/", "http://registry-1.docker.io/"],
    ["https://index.docker.io/", "https://registry-1.docker.io/", "http://registry-1.docker.io/"],
    ["docker.io.example", "https://docker.io.example/", "http://docker.io.example/"],
    ["h.example\n", "https://h.example/", "http://h.example/"],
    ["h.example/a://b", "https://h.example/a://b", "http://h.example/a://b"],
  ] as const
) {
  Deno.test(`readConfig() reads the registry ${JSON.stringify(text)}`, () => {
    const href = (...args: readonly string[]): string =>
      registryOf(configOf(["--registry-url", text, ...args])).url.href;
    assert.equal(href(), secure);
    assert.equal(href("--registry-insecure"), insecure);
  });
}

for (
  const [text, prefix] of [["factory", "factory"], ["factory/", "factory"], ["a/b/", "a/b"], [
    "/",
    "",
  ]]
) {
  Deno.test(`readConfig() reads the prefix ${text}`, () => {
    assert.equal(configOf([...URL_FLAG, `--repository-prefix=${text}`]).repositoryPrefix, prefix);
  });
}

for (
  const [content, password] of [
    ["secret\n", "secret"],
    ["secret\r\n", "secret"],
    ["secret", "secret"],
    [" se cret \n\n", " se cret \n"],
    ["se\ncret", "se\ncret"],
  ] as const
) {
  Deno.test(`readConfig() reads the password file ${JSON.stringify(content)}`, () => {
    const args = [...URL_FLAG, "--registry-username=u", "--registry-password-file=/p"];
    assert.deepEqual(registryOf(configOf(args, { files: { "/p": content } })).credentials, {
      username: "u",
      password,
    });
  });
}

/** A wrong value of each setting, and what its message says beside name and value. */
const WRONG: readonly (readonly [keyof typeof SETTINGS, string, RegExp])[] = [
  ["registryUrl", "ftp://h", /it takes https:\/\/host/],
  ["repositoryPrefix", "Factory", /it takes lower-case letters/],
  ["repositoryPrefix", "a//b", /it takes lower-case letters/],
  ["registryCaCertPath", "/open", /it takes a file with certificates in PEM/],
  ["registryCaCertPath", "/broken.pem", /it takes a file with certificates in PEM/],
  ["registryTimeout", "0", /it takes a duration such as .* or 24h$/],
  ["layoutDir", "/nowhere", /it takes a folder that exists/],
  ["listenAddr", "8080", /it takes an address such as/],
  ["metricsListenAddr", "localhost:99999", /it takes an address such as/],
  ["cacheSize", "0", /it takes a whole number of devices from 1 to 1000000/],
  ["cacheMaxBytes", "0", /it takes a size such as [^,]*, 512KiB, 256MiB or 1GiB$/],
  ["refreshInterval", "60", /it takes a duration such as .*, or 0$/],
  ["trackFor", "1day", /it takes a duration such as .*, or 0$/],
  ["unknownFor", "10", /it takes a duration such as .*, or 0$/],
  ["registryConcurrency", "0", /it takes a whole number of requests from 1 to 1000/],
  ["idleTimeout", "0", /it takes a duration such as/],
  ["corsOrigin", "example.com", /it takes an origin such as/],
  ["defaultConstraint", "newest", /it takes a range of versions such as \^1\.2 or >=1 <2$/],
  ["prerelease", "beta", /it takes true or false$/],
  ["maxFirmwareSize", "1TB", /it takes a size such as/],
  ["maxFirmwareSize", "3GiB", /it takes a size such as .*, 2GiB at most$/],
  ["maxDownloads", "0", /it takes a whole number of downloads from 1 to 100000/],
  ["logLevel", "loud", /it takes one of trace, debug, info, warn, error$/],
  ["logFormat", "xml", /it takes one of text, json$/],
];

for (const [key, value, takes] of WRONG) {
  Deno.test(`readConfig() refuses ${flagOf(key)} ${value} in one line that says what it takes`, () => {
    const base = key === "registryUrl" || key === "layoutDir" ? [] : URL_FLAG;
    for (
      const [flags, env, name] of [
        [[`${flagOf(key)}=${value}`], {}, flagOf(key)],
        // A value that is wrong only in its context is named by its flag in any case.
        [[], { [variableOf(key)]: value }, `(${flagOf(key)}|${variableOf(key)})`],
      ] as const
    ) {
      const message = complaintOf([...base, ...flags], { files, env });
      assert.match(message, new RegExp(`^${name}: `));
      assert(message.includes(JSON.stringify(value)), message);
      assert.match(message, takes);
    }
  });
}

Deno.test("readConfig() refuses REGISTRY_INSECURE that is neither true nor false", () => {
  const message = complaintOf(URL_FLAG, { env: { REGISTRY_INSECURE: "maybe" } });
  assert.match(message, /^REGISTRY_INSECURE: "maybe" is not valid, it takes true or false$/);
});

for (
  const [what, args, message] of [
    ["no source", [], /--registry-url or --layout-dir/],
    ["two sources", [...URL_FLAG, "--layout-dir=/layouts"], /exclude each other/],
    [
      "two passwords",
      [...URL_FLAG, "--registry-password=a", "--registry-password-file=/open"],
      /exclude each other/,
    ],
    ["an unreadable file", [...URL_FLAG, "--registry-password-file=/x"], /"\/x": No such file \(/],
    [
      "a file that it may not read",
      [...URL_FLAG, "--registry-password-file=/closed"],
      /"\/closed": Permission denied, want it readable by the user that runs OtaFlux$/,
    ],
    [
      "a password's file that is empty",
      [...URL_FLAG, "--registry-username=u", "--registry-password-file=/empty"],
      /^--registry-password-file: "\/empty" is empty, want the password in it$/,
    ],
    ["a flag without value", ["--registry-url"], /--registry-url <url>/],
    ["an unknown flag", [...URL_FLAG, "--registry-ulr"], /'--registry-ulr'.*--registry-url/],
    ["a word too many", [...URL_FLAG, "serve"], /too many arguments/i],
    ["a value for the switch", [...URL_FLAG, "--registry-insecure=true"], /--registry-insecure/],
  ] as const
) {
  Deno.test(`readConfig() refuses ${what}`, () => {
    assert.match(complaintOf(args, { files }), message);
  });
}

for (
  const [what, args] of [
    ["in an address", ["--registry-url=https://user:s3cr/et@registry.example"]],
    ["in an address without scheme", ["--registry-url=user:s3cret@registry.example"]],
    ["in an address with several @", ["--registry-url=https://user:s3@cret@registry.example"]],
    ["with a mistyped flag", [...URL_FLAG, "--registry-pasword=s3cret"]],
    ["with spaces and quotes", [...URL_FLAG, "--registry-pasword=a s3cr'et\rb's3cret"]],
    ["behind a mistyped flag", [...URL_FLAG, "--registry-pasword", "s3cret"]],
    ["that was not quoted", [...URL_FLAG, "--registry-password", "a", "s3cret"]],
    ["in the name", [...URL_FLAG, "--registry-username", "user:s3cret"]],
    [
      "beside a file",
      [...URL_FLAG, "--registry-password=s3cret", "--registry-password-file=/open"],
    ],
  ] as const
) {
  Deno.test(`readConfig() repeats no password ${what}`, () => {
    const message = complaintOf(args, { files });
    assert.doesNotMatch(message, /s3|et\b/);
  });
}

Deno.test("readConfig() has a help that lists every flag with variable, kind and default", () => {
  const help = read(["--help"]);
  assert(typeof help === "string");
  const flat = help.replaceAll(/\s+/g, " ");
  for (const [key, { value, help, default: fallback }] of Object.entries<Setting>(SETTINGS)) {
    const flag = value === undefined ? flagOf(key) : `${flagOf(key)} <${value}>`;
    const [, entry = ""] = flat.split(` ${flag} `);
    const own = entry.slice(0, entry.indexOf(`[${variableOf(key)}]`));
    assert(own.startsWith(help), flag);
    if (fallback !== undefined) assert(own.endsWith(`; default ${fallback} `), flag);
  }
  assert(help.endsWith("\n"));
  for (const line of help.split("\n")) assert(line.length <= 80, line);
});

Deno.test("readConfig() prints version and help whatever else is given or missing", () => {
  assert.equal(read(["--version"]), "otaflux 1.2.3\n");
  assert.equal(read(["--cache-size=0", "--version"]), "otaflux 1.2.3\n");
  assert.equal(read(["--help"], { env: { CACHE_SIZE: "0" } }), read(["--help"]));
});

Deno.test("readConfig() refuses a layout in the place of the folder that holds it", () => {
  const complaint = complaintOf(["--layout-dir", "/layouts/pump"], {
    folders: { "/layouts/pump": ["blobs", "index.json", "oci-layout"] },
  });
  assert.match(complaint, /it takes the folder that holds layouts, and this is one of them$/);
});

Deno.test("readConfig() refuses a folder of layouts that it may not read", () => {
  const complaint = complaintOf(["--layout-dir", "/closed"], { folders: { "/closed": undefined } });
  assert.match(complaint, /^--layout-dir: "\/closed" is not valid, .* exists and can be read$/);
});

Deno.test("readConfig() lets a flag win over the variable of its rival", () => {
  const env = { REGISTRY_URL: "registry.example", REGISTRY_PASSWORD_FILE: "/secret" };
  const layout = configOf(["--layout-dir", "/open"], { env, folders: { "/open": [] } });
  assert.equal(layout.source.kind, "layout");
  const { source } = configOf(["--registry-password", "flag"], { env });
  assert.equal(source.kind === "registry" && source.credentials?.password, "flag");
});

Deno.test("readConfig() repeats no secret of a flag that stands where a value was left out", () => {
  const complaint = complaintOf([...URL_FLAG, "--listen-addr", "--mqtt-password=hush"]);
  assert.match(complaint, /^--listen-addr: "--mqtt-password=…" is not valid/);
});

Deno.test("readConfig() complains on one line, whatever a mistyped flag holds", () => {
  assert.doesNotMatch(complaintOf([...URL_FLAG, "--a\rb"]), /\r/);
});

Deno.test("readConfig() repeats no password of an address that looks like a flag", () => {
  for (const address of ["--//user:hush@broker.example", "---hush@broker.example"]) {
    assert.equal(
      complaintOf([...URL_FLAG, address]),
      "Unknown option '…', want one of those that --help lists",
    );
  }
});
