import assert from "node:assert/strict";
import { adviseNetwork } from "../src/network_advice.ts";

Deno.test("adviseNetwork() says nothing where it does not know the words", () => {
  assert.equal(adviseNetwork("Layout cannot be read: Permission denied"), undefined);
});

for (
  const [reason, advice] of [
    [
      "client error (Connect): invalid peer certificate: Expired",
      /^[^:]+ by the clock of this mach/,
    ],
    [
      'invalid peer certificate: certificate not valid for name "a"; certificate is only valid for b',
      /is for another name: use that one in --registry-url$/,
    ],
    ["invalid peer certificate: UnknownIssuer", /--registry-ca-cert-path$/],
    ["Registry made no progress for 30 s", /--registry-timeout$/],
    ["tcp connect error: Network is unreachable (os error 101)", /firewall or a proxy/],
    ['Cannot list tags of "a": registry answered 503', /overloaded or fails/],
    [
      "Cannot get a token from localhost:3000, where the registry sends us: Connection refused",
      /ROOT_URL of Gitea/,
    ],
    [
      "Cannot get a token from auth.docker.io, where the registry sends us: Connection refused",
      /auth\.docker\.io of Docker Hub is, .* firewall or a proxy between$/,
    ],
    [
      "Cannot get a token from git.lan, where the registry sends us: certificate: UnknownIssuer",
      /--registry-ca-cert-path$/,
    ],
  ] as const
) {
  Deno.test(`adviseNetwork() has advice for "${reason.slice(0, 60)}"`, () => {
    assert.match(adviseNetwork(reason) ?? "", advice);
    assert.match(adviseNetwork(reason) ?? "", /[^.?!]$/);
  });
}
