import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { HomeSensor, type HomeSensorOptions } from "../helpers/home_sensor.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";

const OLD = firmwareBytes(200_001, 1);
const NEW = firmwareBytes(250_003, 2);

/** A day in the field: a registry with one firmware, the service, and a device that asks. */
async function day(
  refreshInterval: string,
  live: (
    day: {
      readonly registry: FakeRegistry;
      readonly otaflux: Otaflux;
      readonly sensor: (options?: Partial<HomeSensorOptions>) => HomeSensor;
    },
  ) => Promise<void>,
): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("home/sensor", "1.1.0", orasArtifact(OLD));
  await using otaflux = await Otaflux.start({
    args: [
      ...["--registry-url", registry.origin, "--repository-prefix", "home/"],
      ...["--refresh-interval", refreshInterval],
    ],
  });
  const sensor = (options: Partial<HomeSensorOptions> = {}): HomeSensor =>
    new HomeSensor({
      hostname: "127.0.0.1",
      port: otaflux.port,
      device: "sensor",
      currentVersion: "1.0.0",
      ...options,
    });
  await live({ registry, otaflux, sensor });
}

Deno.test("esp32-home-sensor updates on a good day", async () => {
  await day("60s", async ({ sensor }) => {
    const report = await sensor().check();
    assert.equal(report.outcome, "updated", report.reason);
    assert.equal(report.remoteVersion, "1.1.0");
    assert.equal(report.announcedCrc32, crc32Reference(OLD));
    assert.equal(report.announcedSize, OLD.length);
    assert.deepEqual(report.firmware, OLD);
    assert.equal(report.reads, 1);
    assert.ok(report.headBytes > 0 && report.headBytes < 700);
    assert.ok(report.firmwareHeadBytes > 0 && report.firmwareHeadBytes < 700);
  });
});

Deno.test("esp32-home-sensor that is up to date leaves it at that", async () => {
  await day("60s", async ({ sensor }) => {
    const report = await sensor({ currentVersion: "1.1.0" }).check();
    assert.equal(report.outcome, "up-to-date");
  });
});

for (const [refreshInterval, when] of [["60s", "inside"], ["0", "without"]] as const) {
  Deno.test(`esp32-home-sensor gets what it was told of although a newer version appears, ${when} the refresh interval`, async () => {
    await day(refreshInterval, async ({ registry, otaflux, sensor }) => {
      const betweenRequests = async (): Promise<void> => {
        registry.push("home/sensor", "1.2.0", orasArtifact(NEW));
        // Another device hears of it first: by now the cache holds the new one.
        await askFromElsewhere(otaflux.port);
      };
      const report = await sensor({ betweenRequests }).check();
      assert.equal(report.outcome, "updated", report.reason);
      assert.equal(report.remoteVersion, "1.1.0");
      assert.deepEqual(report.firmware, OLD);
    });
  });
}

Deno.test("esp32-home-sensor gets what it was told of although its tag was deleted", async () => {
  await day("0", async ({ registry, sensor }) => {
    const betweenRequests = (): Promise<void> => {
      registry.deleteRepository("home/sensor");
      return Promise.resolve();
    };
    const report = await sensor({ betweenRequests }).check();
    assert.equal(report.outcome, "updated", report.reason);
    assert.deepEqual(report.firmware, OLD);
  });
});

Deno.test("on another connection of the same address it still gets what it was told of", async () => {
  await day("0", async ({ registry, otaflux }) => {
    const version = await fetch(`${otaflux.origin}/version?device=sensor`);
    const [, , size] = (await version.text()).split("\n");
    registry.push("home/sensor", "1.2.0", orasArtifact(NEW));
    using connection = await RawConnection.open(otaflux.port);
    const firmware = await connection.ask(
      "GET /firmware?device=sensor HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert.equal(String(firmware.body.length), size);
    assert.deepEqual(firmware.body, OLD);
  });
});

Deno.test("esp32-home-sensor does not hang on an answer without firmware", async () => {
  await day("60s", async ({ registry, sensor }) => {
    const unknown = await sensor({ device: "nobody" }).check();
    assert.deepEqual([unknown.outcome, unknown.timedOut], ["info-error", false]);
    assert.equal(unknown.remoteVersion, "No firmware for device 'nobody'");

    await registry[Symbol.asyncDispose]();
    const down = await sensor().check();
    assert.deepEqual([down.outcome, down.timedOut], ["info-error", false]);
    assert.match(down.remoteVersion ?? "", /Registry cannot be reached/);
  });
});

Deno.test("esp32-home-sensor updates from the cache when the registry is gone", async () => {
  await day("0", async ({ registry, sensor }) => {
    assert.equal((await sensor().check()).outcome, "updated");
    await registry[Symbol.asyncDispose]();
    const report = await sensor().check();
    assert.equal(report.outcome, "updated", report.reason);
    assert.deepEqual(report.firmware, OLD);
  });
});

/** Asks as a device behind a proxy: another client, though from the same address. */
async function askFromElsewhere(port: number): Promise<void> {
  using connection = await RawConnection.open(port);
  const answer = await connection.ask(
    "GET /version?device=sensor HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n",
  );
  assert.equal(answer.status, 200);
}
