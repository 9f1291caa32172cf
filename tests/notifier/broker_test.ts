import assert from "node:assert/strict";
import {
  type BrokerListener,
  type IncomingMessage,
  MqttBroker,
  type MqttBrokerOptions,
} from "../../src/notifier/broker.ts";
import type { BrokerSession } from "../../src/notifier/session.ts";
import { freePort } from "../helpers/free_port.ts";
import { CapturedLogs } from "../helpers/logs.ts";

/** Answers of a broker, byte by byte: CONNACK (MQTT 3.1.1, 3.2; MQTT 5, 3.2), PUBACK, SUBACK. */
const CONNACK_4 = [0x20, 2, 0, 0];
const CONNACK_5 = [0x20, 3, 0, 0, 0];
const WRONG_VERSION_4 = [0x20, 2, 0, 1];
const WRONG_VERSION_5 = [0x20, 3, 0, 0x84, 0];
const WRONG_PASSWORD_4 = [0x20, 2, 0, 4];
const WRONG_PASSWORD_5 = [0x20, 3, 0, 0x86, 0];

/** A CONNACK of MQTT 5 that accepts, and says something of the broker. */
function accepts(...properties: readonly number[]): readonly number[] {
  return [0x20, 3 + properties.length, 0, 0, properties.length, ...properties];
}

/** Says what a broker answers to a CONNECT of a protocol level; undefined cuts the connection. */
type Script = (level: number, attempt: number) => readonly number[] | undefined;

/** Listens on a loopback port and answers CONNECTs by a script; whatever follows is only noted. */
class ScriptedBroker implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;
  /** The protocol levels that were asked for, in their order. */
  readonly levels: number[] = [];
  /** The CONNECTs themselves. */
  readonly connects: Uint8Array[] = [];
  /** What was sent behind them, as it came. */
  readonly following: Uint8Array[] = [];
  #heard = Promise.withResolvers<void>();

  constructor(script: Script) {
    this.#serving = this.#accept(script);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Waits until something is sent behind a CONNECT. */
  async hears(): Promise<void> {
    await this.#heard.promise;
  }

  /** Cuts all connections. */
  cut(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#serving;
  }

  async #accept(script: Script): Promise<void> {
    const serving = [];
    for await (const connection of this.#listener) serving.push(this.#serve(connection, script));
    await Promise.all(serving);
  }

  async #serve(connection: Deno.Conn, script: Script): Promise<void> {
    this.#connections.add(connection);
    const bytes = new Uint8Array(1024);
    try {
      const count = await connection.read(bytes);
      this.connects.push(bytes.slice(0, count ?? 0));
      // Fixed header, its length in one byte, the name MQTT with its length, the level.
      this.levels.push(bytes[8] ?? 0);
      const answer = script(bytes[8] ?? 0, this.levels.length);
      if (answer === undefined) return;
      await connection.write(new Uint8Array(answer));
      for (;;) {
        const count = await connection.read(bytes);
        if (count === null) return;
        this.following.push(bytes.slice(0, count));
        this.#heard.resolve();
      }
    } catch {
      // Cut.
    } finally {
      if (this.#connections.delete(connection)) connection.close();
    }
  }
}

/** A client of it, and what it was told. */
class Client implements AsyncDisposable, BrokerListener {
  readonly broker: MqttBroker;
  readonly pauses: number[] = [];
  readonly sessions: BrokerSession[] = [];
  readonly #waiting = new Set<() => void>();
  lost = 0;
  nowMs = 0;

  constructor(port: number, options: Partial<MqttBrokerOptions> = {}) {
    this.broker = new MqttBroker({
      address: { protocol: "mqtt", hostname: "127.0.0.1", port, path: "" },
      tls: { caCertificates: [], client: undefined },
      credentials: undefined,
      clientId: "test",
      protocol: 5,
      willTopic: "ota/$state",
      now: () => this.nowMs,
      random: () => 0,
      pause: async (ms) => {
        this.pauses.push(ms);
        this.#wake();
        // The sockets need their turn.
        await new Promise((resolve) => setTimeout(resolve));
      },
      ...options,
    });
    this.broker.start(this);
  }

  connected(session: BrokerSession): void {
    this.sessions.push(session);
    this.#wake();
  }

  disconnected(): void {
    this.lost++;
    this.#wake();
  }

  received(_message: IncomingMessage): void {}

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker.close();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

for (
  const [what, refusal] of [
    ["refuses with the code of MQTT 5", WRONG_VERSION_5],
    ["refuses with the code of MQTT 3.1.1", WRONG_VERSION_4],
    ["ends the connection without a word", undefined],
  ] as const
) {
  Deno.test(`MqttBroker falls back to MQTT 3.1.1 where the broker ${what}`, async () => {
    await using server = new ScriptedBroker((level) => level === 5 ? refusal : CONNACK_4);
    using logs = new CapturedLogs();
    await using client = new Client(server.port);
    await client.until(() => client.sessions.length === 1);
    assert.deepEqual(server.levels, [5, 4]);
    assert.equal(logs.records.at(-1)?.protocol, "3.1.1");
    server.cut();
    await client.until(() => client.sessions.length === 2);
    assert.deepEqual(server.levels, [5, 4, 4], "what was found out is kept");
  });
}

Deno.test("MqttBroker takes a broker that wants MQTT 3.1.1 for no outage, and does not wait", async () => {
  for (const refusal of [WRONG_VERSION_5, WRONG_VERSION_4, undefined]) {
    await using server = new ScriptedBroker((level) => level === 5 ? refusal : CONNACK_4);
    using logs = new CapturedLogs();
    await using client = new Client(server.port);
    await client.until(() => client.sessions.length === 1);
    assert.deepEqual([logs.messages("warn"), client.pauses], [[], []]);
  }
});

Deno.test("MqttBroker falls back to MQTT 3.1.1 where the broker waits for more of a CONNECT of 5", async () => {
  await using server = new ScriptedBroker((level) => level === 5 ? [] : CONNACK_4);
  using logs = new CapturedLogs();
  await using client = new Client(server.port, { patienceMs: 1000 });
  await client.until(() => client.sessions.length === 1);
  assert.deepEqual(server.levels, [5, 4]);
  // Nothing may be there at all: whoever looks at the log must not wait for a second attempt.
  assert.match(String(logs.records.find(({ reason }) => reason)?.next), /^Nothing answers there/);
});

Deno.test("MqttBroker stays with MQTT 5 where nothing could be said at all, as behind a firewall", async () => {
  const levels: number[] = [];
  const away = Promise.withResolvers<Response>();
  let connections = 0;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      if (++connections === 1) return away.promise;
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mqtt" });
      socket.binaryType = "arraybuffer";
      // A CONNECT comes in several pieces.
      const heard: number[] = [];
      socket.onmessage = ({ data }): void => {
        if (heard.length > 8) return;
        heard.push(...new Uint8Array(data));
        const level = heard[8];
        if (level === undefined) return;
        levels.push(level);
        socket.send(new Uint8Array(level === 5 ? CONNACK_5 : CONNACK_4));
      };
      return response;
    },
  );
  const { port } = server.addr;
  await using client = new Client(port, {
    address: { protocol: "ws", hostname: "127.0.0.1", port, path: "/mqtt" },
    patienceMs: 1000,
  });
  await client.until(() => client.sessions.length === 1);
  away.resolve(new Response());
  assert.deepEqual([client.pauses.length > 0, levels.at(-1)], [true, 5]);
});

Deno.test("MqttBroker stays with MQTT 5 where the broker has taken it before", async () => {
  await using server = new ScriptedBroker((_, attempt) =>
    attempt === 1 || attempt > 3 ? CONNACK_5 : undefined
  );
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  server.cut();
  await client.until(() => client.sessions.length === 2);
  assert.deepEqual(server.levels, [5, 5, 5, 5]);
});

Deno.test("MqttBroker says why it is refused in MQTT 3.1.1, not what came of MQTT 5", async () => {
  for (const refusal of [WRONG_VERSION_5, undefined]) {
    await using server = new ScriptedBroker((level) => level === 5 ? refusal : WRONG_PASSWORD_4);
    using logs = new CapturedLogs();
    await using client = new Client(server.port);
    await client.until(() => client.pauses.length === 4);
    assert.deepEqual(logs.messages("warn"), ["MQTT broker cannot be reached"]);
    const { outage } = client.broker;
    assert.equal(outage?.reason, "Connection refused: Bad username or password");
    assert.match(outage.next, /--mqtt-username/);
  }
});

Deno.test("MqttBroker says, once, why it is refused by a broker that was away before", async () => {
  await using server = new ScriptedBroker((_, attempt) =>
    attempt < 3 ? undefined : WRONG_PASSWORD_4
  );
  using logs = new CapturedLogs();
  await using client = new Client(server.port, { protocol: 4 });
  await client.until(() => client.pauses.length === 6);
  const warnings = logs.records.filter(({ level }) => level === "warn");
  assert.deepEqual(warnings.map(({ reason }) => reason), [
    "connection closed",
    "Connection refused: Bad username or password",
  ]);
});

for (
  const [properties, reason, next] of [
    // Retain Available 0 (MQTT 5, 3.2.2.3.5), Maximum QoS 0 (3.2.2.3.4).
    [[0x25, 0], "Retain not supported", /keep them$/],
    [[0x24, 0], "QoS not supported", /QoS 1$/],
  ] as const
) {
  Deno.test(`MqttBroker does not begin with a broker that says ${reason}`, async () => {
    await using server = new ScriptedBroker(() => accepts(...properties));
    using logs = new CapturedLogs();
    await using client = new Client(server.port);
    await client.until(() => client.pauses.length === 3);
    assert.deepEqual([client.sessions, client.lost, server.following], [[], 0, []]);
    assert.deepEqual(logs.messages("warn"), ["MQTT broker cannot be reached"]);
    assert.deepEqual(logs.messages("info"), []);
    assert.equal(client.broker.outage?.reason, reason);
    assert.match(client.broker.outage.next, next);
    assert.deepEqual([...new Set(server.levels)], [5], "MQTT 3.1.1 would change nothing");
  });
}

Deno.test("MqttBroker subscribes to nothing where the broker takes no wildcards", async () => {
  // Wildcard Subscription Available 0 (MQTT 5, 3.2.2.3.11).
  await using server = new ScriptedBroker(() => accepts(0x28, 0));
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  const [session] = client.sessions;
  await assert.rejects(session?.subscribe("ota/#") ?? Promise.resolve(), /Wildcard Subscriptions/);
  const publishing = assert.rejects(session?.publish("ota/pump", "x") ?? Promise.resolve());
  await server.hears();
  assert.equal((server.following[0]?.[0] ?? 0) >> 4, 3, "a PUBLISH is the first thing");
  server.cut();
  await publishing;
});

Deno.test("MqttBroker keeps alive as often as the broker wants", async () => {
  // Server Keep Alive of one second (MQTT 5, 3.2.2.3.14).
  await using server = new ScriptedBroker(() => accepts(0x13, 0, 1));
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  await server.hears();
  assert.deepEqual([...server.following[0] ?? []], [0xc0, 0], "PINGREQ");
});

Deno.test("MqttBroker does not stay with MQTT 3.1.1 where that does not help", async () => {
  await using server = new ScriptedBroker((_, attempt) => attempt < 5 ? undefined : CONNACK_5);
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  assert.deepEqual(server.levels, [5, 4, 5, 4, 5]);
});

Deno.test("MqttBroker speaks nothing but MQTT 3.1.1 where that is asked for", async () => {
  await using server = new ScriptedBroker((_, attempt) => attempt < 3 ? undefined : CONNACK_4);
  await using client = new Client(server.port, { protocol: 4 });
  await client.until(() => client.sessions.length === 1);
  assert.deepEqual(server.levels, [4, 4, 4]);
});

Deno.test("MqttBroker tries again after 100 ms, then twice as long up to 30 s, and says it once", async () => {
  using logs = new CapturedLogs();
  await using client = new Client(freePort());
  await client.until(() => client.pauses.length === 12);
  assert.deepEqual(
    client.pauses.slice(0, 12),
    [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000],
  );
  assert.deepEqual(logs.messages("warn"), ["MQTT broker cannot be reached"]);
  assert.match(String(logs.records[0]?.reason), /refused/i);
  assert.match(String(logs.records[0]?.next), /^Nobody listens there/);
});

Deno.test("MqttBroker starts the pauses anew only after a connection that held", async () => {
  // Of two clients of one name, each accepted one throws the other out.
  await using server = new ScriptedBroker(() => CONNACK_5);
  await using client = new Client(server.port);
  for (const [index, heldMs] of [0, 4999, 5000, 0].entries()) {
    await client.until(() => client.sessions.length === index + 1);
    client.nowMs += heldMs;
    server.cut();
    await client.until(() => client.pauses.length === index + 1);
  }
  assert.deepEqual(client.pauses.slice(0, 4), [50, 100, 50, 100]);
});

Deno.test("MqttBroker fails what is under way when the connection breaks", async () => {
  await using server = new ScriptedBroker(() => CONNACK_5);
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  const [session] = client.sessions;
  const publishing = session?.publish("ota/pump", "x") ?? Promise.resolve();
  const subscribing = session?.subscribe("ota/#") ?? Promise.resolve();
  const outcome = Promise.allSettled([publishing, subscribing]);
  server.cut();
  assert.deepEqual((await outcome).map(({ status }) => status), ["rejected", "rejected"]);
  await assert.rejects(session?.publish("ota/pump", "x") ?? Promise.resolve());
});

Deno.test("MqttBroker has lost the connection before it fails what was under way on it", async () => {
  // A broker that stands still, as RabbitMQ does with too little memory.
  await using server = new ScriptedBroker(() => accepts(0x13, 0, 1));
  await using client = new Client(server.port);
  await client.until(() => client.sessions.length === 1);
  const publishing = client.sessions[0]?.publish("ota/pump", "x");
  assert.equal(await publishing?.catch(() => client.lost), 1);
  assert.match(client.broker.outage?.reason ?? "", /^Keepalive timeout$/);
});

for (
  const [properties, inFlight] of [
    [[], 10],
    // Receive Maximum (MQTT 5, 3.2.2.3.3).
    [[0x21, 0, 3], 3],
    [[0x21, 1, 0], 10],
  ] as const
) {
  Deno.test(`MqttBroker has ${inFlight} messages under way where the broker says ${properties}`, async () => {
    const { length } = properties;
    await using server = new ScriptedBroker(() => [0x20, 3 + length, 0, 0, length, ...properties]);
    await using client = new Client(server.port);
    await client.until(() => client.sessions.length === 1);
    assert.equal(client.sessions[0]?.inFlight, inFlight);
  });
}

Deno.test("MqttBroker ends at once while it waits for the next attempt", async () => {
  const client = new Client(1, {
    pause: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
  });
  await client.broker.close();
  assert.equal(client.sessions.length, 0);
});

Deno.test("MqttBroker has a broker of MQTT 5 keep long packets to itself", async () => {
  for (const [protocol, answer, isSaid] of [[5, CONNACK_5, true], [4, CONNACK_4, false]] as const) {
    await using broker = new ScriptedBroker(() => answer);
    await using client = new Client(broker.port, { protocol });
    await client.until(() => client.sessions.length === 1);
    // Property 39, 64 KiB (MQTT 5, 3.1.2.11.4).
    const text = broker.connects.map((bytes) => bytes.join()).join();
    assert.equal(text.includes("39,0,1,0,0"), isSaid, text);
  }
});

Deno.test("MqttBroker shows the password as it is at each attempt", async () => {
  const passwords = ["first", "second", "third"];
  await using server = new ScriptedBroker((_, attempt) =>
    attempt < 3 ? WRONG_PASSWORD_5 : CONNACK_5
  );
  await using client = new Client(server.port, {
    credentials: { username: "gateway", password: "of the start" },
    readPassword: () => Promise.resolve(passwords[server.connects.length] ?? "none"),
  });
  await client.until(() => client.sessions.length === 1);
  const shown = server.connects.map((bytes) => new TextDecoder().decode(bytes));
  for (const [index, password] of passwords.entries()) {
    assert.ok(shown[index]?.endsWith(password), `${index} does not end with ${password}`);
  }
});

Deno.test("MqttBroker does not connect where it is closed while the password is read", async () => {
  await using server = new ScriptedBroker(() => CONNACK_5);
  const { promise, resolve } = Promise.withResolvers<string>();
  const client = new Client(server.port, {
    credentials: { username: "gateway", password: "" },
    readPassword: () => promise,
  });
  const closed = client.broker.close();
  resolve("late");
  await closed;
  assert.equal(server.connects.length, 0);
});
