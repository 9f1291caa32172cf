import assert from "node:assert/strict";
import { relay } from "../../src/tls/relay.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

/** Both ends of a connection over the loopback interface. */
async function connection(): Promise<readonly [Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [near, far] = await Promise.all([
    Deno.connect({ port: listener.addr.port }),
    listener.accept(),
  ]);
  return [near, far];
}

/** A client (left) and a server (right) with a relay between them, and when it is over. */
async function relayed({ idleMs }: { idleMs: number }): Promise<{
  readonly left: Deno.TcpConn;
  readonly right: Deno.TcpConn;
  readonly over: Promise<void>;
}> {
  const [[left, one], [right, other]] = await Promise.all([connection(), connection()]);
  return { left, right, over: relay(one, other, { idleMs }) };
}

async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

Deno.test("relay() passes all bytes on, both ways at once", async () => {
  const { left, right, over } = await relayed({ idleMs: 60_000 });
  const [there, back] = [firmwareBytes(3_000_001, 1), firmwareBytes(1_000_001, 2)];
  const reading = [left, right].map((end) => new Response(end.readable).bytes());
  await Promise.all([send(left, there), send(right, back)]);
  await Promise.all([left, right].map((end) => end.closeWrite()));
  const [atLeft, atRight] = await Promise.all(reading);
  assert.deepEqual(atRight, there);
  assert.deepEqual(atLeft, back);
  await over;
});

Deno.test("relay() closes the connection of a client soon after the server has said all", async () => {
  const { left, right, over } = await relayed({ idleMs: 60_000 });
  await send(right, new Uint8Array([1, 2, 3]));
  await right.closeWrite();
  await over;
  const buffer = new Uint8Array(10);
  assert.equal(await left.read(buffer), 3);
  assert.equal(await left.read(buffer), null);
  left.close();
  right.close();
});

Deno.test("relay() passes on that a client has sent all, and goes on with the answer", async () => {
  const { left, right, over } = await relayed({ idleMs: 60_000 });
  await left.closeWrite();
  assert.equal(await right.read(new Uint8Array(1)), null);
  await send(right, new Uint8Array([7]));
  const buffer = new Uint8Array(10);
  assert.equal(await left.read(buffer), 1);
  right.close();
  await over;
  assert.equal(await left.read(buffer), null);
  left.close();
});

Deno.test("relay() ends with whichever side breaks", async () => {
  for (const which of ["left", "right"] as const) {
    const { left, right, over } = await relayed({ idleMs: 60_000 });
    const [gone, stays] = which === "left" ? [left, right] : [right, left];
    await send(stays, firmwareBytes(100_000, 1));
    // What it was sent stays unread, so this resets the connection.
    gone.close();
    await assert.rejects(async () => {
      for (;;) await send(stays, firmwareBytes(100_000, 1));
    });
    stays.close();
    await over;
  }
});

Deno.test("relay() reads nothing ahead of whoever does not take it, and gives up on them in time", async () => {
  const { left, right, over } = await relayed({ idleMs: 300 });
  let sent = 0;
  await assert.rejects(async () => {
    for (;;) sent += await left.write(firmwareBytes(65_536, 1));
  });
  await over;
  // What the system takes by itself at four sockets.
  assert(sent < 64 * 1024 * 1024, `${sent}`);
  left.close();
  right.close();
});

Deno.test("relay() is patient with whoever has nothing to say", async () => {
  const { left, right, over } = await relayed({ idleMs: 1 });
  await send(left, new Uint8Array([1]));
  const buffer = new Uint8Array(1);
  await right.read(buffer);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await send(right, new Uint8Array([2]));
  assert.equal(await left.read(buffer), 1);
  left.close();
  right.close();
  await over;
});
