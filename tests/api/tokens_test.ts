import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DeviceTokens, TokenFileError } from "../../src/api/tokens.ts";
import { CapturedLogs } from "../helpers/logs.ts";

async function withFile(
  text: string,
  test: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "otaflux-tokens-" });
  try {
    await Deno.writeTextFile(path, text);
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString("base64")}`;
}

const FILE = `# The greenhouse
abc.DEF-123_~+/==

  second-token\t
pump:pa:ss wörd
# not-a-token
`;

Deno.test("DeviceTokens accepts each token of the file, by its own scheme", async () => {
  await withFile(FILE, async (path) => {
    const tokens = await DeviceTokens.read(path);
    for (
      const header of [
        "Bearer abc.DEF-123_~+/==",
        "bearer second-token",
        "BEARER  second-token",
        basic("pump:pa:ss wörd"),
        basic("pump:pa:ss wörd").replace("Basic", "basic"),
      ]
    ) {
      assert.equal(tokens.accepts(header), true, header);
    }
  });
});

Deno.test("DeviceTokens accepts nothing else", async () => {
  await withFile(FILE, async (path) => {
    const tokens = await DeviceTokens.read(path);
    for (
      const header of [
        undefined,
        "",
        "Bearer",
        "Bearer ",
        "second-token",
        "Bearer second-toke",
        "Bearer second-token2",
        "Bearer Second-token",
        "Bearer second-token x",
        "Bearer not-a-token",
        "Bearer # not-a-token",
        "Bearer pump:pa:ss",
        basic("second-token"),
        basic("pump:"),
        basic("pump"),
        basic(""),
        basic("pump:pa"),
        basic("pump:pa:ss wörd\n"),
        "Basic pump:pa:ss",
        "Basic !!!",
        `Digest ${Buffer.from("pump:pa:ss wörd").toString("base64")}`,
      ]
    ) {
      assert.equal(tokens.accepts(header), false, header);
    }
  });
});

for (
  const [what, text, challenge] of [
    ["bearer tokens", "a\n", 'Bearer realm="otaflux"'],
    ["passwords", "a:b\n", 'Basic realm="otaflux", charset="UTF-8"'],
    [
      "both, Basic first",
      "\uFEFFa\r\nb:c\r\n",
      'Basic realm="otaflux", charset="UTF-8", Bearer realm="otaflux"',
    ],
  ] as const
) {
  Deno.test(`DeviceTokens asks for what the file holds: ${what}`, async () => {
    await withFile(text, async (path) => {
      const tokens = await DeviceTokens.read(path);
      assert.equal(tokens.challenge, challenge);
      assert.equal(tokens.accepts("Bearer a"), text.includes("a") && !text.includes("a:"));
    });
  });
}

for (
  const [what, text, message] of [
    ["an empty file", "", /holds no token/],
    ["comments only", "# a\n\n", /holds no token/],
    ["a token with a space", "good\nbad hunter2\n", /line 2 .* neither/],
    ["a user without a name", ":hunter2\n", /line 1 .* neither/],
    ["a user without a password", "hunter2:\n", /line 1 .* neither/],
  ] as const
) {
  Deno.test(`DeviceTokens.read() refuses ${what}, and quotes none of it`, async () => {
    await withFile(text, async (path) => {
      await assert.rejects(DeviceTokens.read(path), (error) => {
        assert(error instanceof TokenFileError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /hunter2|good/);
        return true;
      });
    });
  });
}

Deno.test("DeviceTokens.read() refuses a file that is not there", async () => {
  await assert.rejects(DeviceTokens.read("/nowhere"), /^TokenFileError: cannot read "\/nowhere": /);
});

Deno.test("DeviceTokens.reload() exchanges all tokens, and keeps them where the file is no good", async () => {
  using logs = new CapturedLogs();
  await withFile("old\n", async (path) => {
    const tokens = await DeviceTokens.read(path);
    await Deno.writeTextFile(path, "new:secret\n");
    await tokens.reload();
    assert.equal(tokens.accepts("Bearer old"), false);
    assert.equal(tokens.accepts(basic("new:secret")), true);
    assert.match(tokens.challenge, /^Basic [^,]*, charset="UTF-8"$/);
    assert.deepEqual(logs.messages("info"), ["Device tokens are in use"]);
    await Deno.writeTextFile(path, "");
    await tokens.reload();
    assert.equal(tokens.accepts(basic("new:secret")), true);
    assert.deepEqual(logs.records.map(({ message, count }) => [message, count]), [
      ["Device tokens are in use", 1],
      ["Device tokens are refused, those before stay in use", undefined],
    ]);
  });
});
