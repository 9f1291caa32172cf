import assert from "node:assert/strict";
import { type SettingValues } from "../../src/config/settings.ts";
import { UsageError } from "../../src/config/usage.ts";
import { resolveWebhookSecret } from "../../src/config/webhooks.ts";

function secretIn(text: string): string | undefined {
  const values = { webhookSecretFile: "/secret" } as SettingValues;
  return resolveWebhookSecret(values, { readTextFile: () => text });
}

Deno.test("resolveWebhookSecret() leaves webhooks open without a file", () => {
  const values = {} as SettingValues;
  const files = { readTextFile: () => assert.fail() };
  assert.equal(resolveWebhookSecret(values, files), undefined);
});

for (const end of ["", "\n", "\r\n"]) {
  Deno.test(`resolveWebhookSecret() takes a secret that ends with ${JSON.stringify(end)}`, () => {
    assert.equal(secretIn(`Bearer a b${end}`), "Bearer a b");
  });
}

for (const text of ["", "\n", " ", "a\nb", "a\n\n", " a", "a ", "grün", "a\0b"]) {
  Deno.test(`resolveWebhookSecret() refuses ${JSON.stringify(text)}, and does not repeat it`, () => {
    assert.throws(() => secretIn(text), (error) => {
      assert(error instanceof UsageError);
      assert.equal(
        error.message,
        `--webhook-secret-file: "/secret" is not valid, ` +
          `it takes a file with a secret: one line of ASCII`,
      );
      return true;
    });
  });
}
