import assert from "node:assert/strict";
import { healthcheck } from "../../src/commands/healthcheck.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { freePort } from "../helpers/free_port.ts";

/** A service that answers each path as it is told, and all others with 404. */
function serve(
  answers: Readonly<Record<string, Response>>,
  options: { hostname?: string; cert?: string; key?: string } = {},
): { server: Deno.HttpServer<Deno.NetAddr>; asked: string[] } {
  const asked: string[] = [];
  const { hostname = "127.0.0.1", cert, key } = options;
  const handler = (request: Request): Response => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    return answers[pathname] ?? new Response(null, { status: 404 });
  };
  const common = { hostname, port: 0, onListen: () => {} };
  const server = cert === undefined || key === undefined
    ? Deno.serve(common, handler)
    : Deno.serve({ ...common, cert, key }, handler);
  return { server, asked };
}

Deno.test("healthcheck() is content where the service is ready, and asks no more", async () => {
  const { server, asked } = serve({ "/ready": new Response("ready") });
  await using _ = server;
  assert.equal(await healthcheck({ listen: server.addr }), undefined);
  assert.deepEqual(asked, ["/ready"]);
});

Deno.test("healthcheck() repeats in one line why the service is not ready", async () => {
  const body = "No registry\nhas answered\n\n";
  const { server } = serve({ "/ready": new Response(body, { status: 503 }) });
  await using _ = server;
  assert.equal(
    await healthcheck({ listen: server.addr }),
    `http://127.0.0.1:${server.addr.port} is not ready, it answers 503: No registry has answered`,
  );
});

const ADDRESSES = [["0.0.0.0", "127.0.0.1"], ["::", "[::1]"], ["localhost", "localhost"]] as const;

for (const [everywhere, here] of ADDRESSES) {
  Deno.test(`healthcheck() asks whoever listens on ${everywhere} at ${here}`, async () => {
    const { server } = serve({ "/ready": new Response("", { status: 503 }) }, {
      hostname: everywhere,
    });
    await using _ = server;
    const { port } = server.addr;
    const reason = await healthcheck({ listen: { hostname: everywhere, port } });
    assert.ok(reason?.startsWith(`http://${here}:${port} is not ready`), reason);
  });
}

Deno.test("healthcheck() says where nobody answers", async () => {
  const port = freePort();
  const reason = await healthcheck({ listen: { hostname: "127.0.0.1", port } });
  assert.match(
    `${reason}`,
    new RegExp(`^http://127\\.0\\.0\\.1:${port} does not answer: [^\n]*ECONNREFUSED[^\n]*$`),
  );
});

Deno.test("healthcheck() asks over TLS whatever name the certificate is for", async () => {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-healthcheck-" });
  try {
    const { certPath, keyPath } = await makeCertificates(folder);
    const [cert, key] = [await Deno.readTextFile(certPath), await Deno.readTextFile(keyPath)];
    const { server } = serve({ "/ready": new Response() }, { cert, key });
    await using _ = server;
    assert.equal(await healthcheck({ listen: server.addr, isTls: true }), undefined);
    assert.match(`${await healthcheck({ listen: server.addr })}`, /does not answer/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
