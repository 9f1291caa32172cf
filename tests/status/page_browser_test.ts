/**
 * The page as people meet it, in a real browser. `OTAFLUX_ARTIFACTS` names a folder that its
 * pictures are kept in.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { createStatusRouter } from "../../src/status/router.ts";
import type { StatusPorts } from "../../src/status/facts.ts";
import { chromiumTool, launchChromium } from "../helpers/browser.ts";
import {
  failingDevice,
  fakePorts,
  healthyDevice,
  unservedDevice,
} from "../helpers/status_facts.ts";

const CHROMIUM = await chromiumTool();

/** Widths in CSS pixels: a small phone, and a desk. */
const WIDTHS = [360, 1280];

const SCHEMES = ["light", "dark"] as const;

/** A device id as long as they may be, without a place to break it at. */
const LONG_ID = "a".repeat(255);

function refused(device: string): { code: "source-refused"; reason: string } {
  return {
    code: "source-refused",
    reason: `Cannot list tags of "factory/${device}": registry answered 403: DENIED`,
  };
}

const INVALID = {
  code: "artifact-invalid",
  reason: `Manifest of '${LONG_ID}' has no usable layer: wanted one layer of at least one byte, ` +
    "found application/vnd.example.config.v1+json",
} as const;

const REPORTS = [{ version: "1.4.2", polls: 1200 }, { version: "1.4.1", polls: 31 }];

const STATES: Readonly<Record<string, StatusPorts>> = {
  healthy: fakePorts({
    broker: () => ({ isConnected: true, pending: 0 }),
    reportedVersions: () => REPORTS,
    firmware: {
      devices: ["esp32-garden", "esp32-kitchen", "stm32/pump"].map((device) =>
        healthyDevice(device, { signature: "valid" })
      ),
    },
  }),
  "registry-away": fakePorts({
    firmware: {
      silence: {
        code: "source-unavailable",
        reason: 'Cannot list tags of "factory/esp32-garden": connection refused',
        agoMs: 754_000,
        retryInMs: 42_000,
      },
    },
  }),
  failing: fakePorts({
    broker: () => ({ isConnected: false, pending: 3 }),
    downloads: () => ({ underWay: 200, limit: 200 }),
    firmware: {
      tracked: 120,
      devices: [
        failingDevice("esp32-cellar", refused("esp32-cellar")),
        ...["esp32-attic", "esp32-barn", "esp32-yard"].map((id) => unservedDevice(id, refused(id))),
        failingDevice(LONG_ID, INVALID),
        healthyDevice("esp32-garden"),
      ],
    },
  }),
  empty: fakePorts({ firmware: { devices: [] } }),
};

/** A page of the browser that shows a state, and what went over the network for it. */
interface View {
  readonly page: Page;
  readonly requests: readonly string[];
  /** What the browser complained of, such as a style that the policy forbids. */
  readonly complaints: readonly string[];
}

async function look(
  browser: Browser,
  { state, width, scheme, hasScripts }: {
    readonly state: string;
    readonly width: number;
    readonly scheme: (typeof SCHEMES)[number];
    readonly hasScripts: boolean;
  },
  check: (view: View) => Promise<void>,
): Promise<void> {
  const ports = STATES[state];
  assert.ok(ports);
  const app = createStatusRouter(ports);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: (): void => {} },
    (request) => app.fetch(request),
  );
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: scheme,
    javaScriptEnabled: hasScripts,
  });
  try {
    const page = await context.newPage();
    const [requests, complaints]: string[][] = [[], []];
    page.on("request", (request) => requests?.push(request.url()));
    page.on("console", (message) => complaints?.push(message.text()));
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    await check({ page, requests: requests ?? [], complaints: complaints ?? [] });
  } finally {
    await context.close();
  }
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = Deno.env.get("OTAFLUX_ARTIFACTS");
  if (!folder) return;
  await page.screenshot({ path: join(folder, "status", `${name}.png`), fullPage: true });
}

/** What axe-core finds, as it would tell it; evaluated in the page, where its script is put. */
const AXE = await Deno.readTextFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"));
const RUN_AXE = `axe.run().then(({ violations, passes }) => ({
  passes: passes.length,
  violations: violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    id + ": " + html + ": " + failureSummary)),
}))`;

const BACKGROUND = "getComputedStyle(document.body).backgroundColor";

Deno.test("The page in a browser", {
  ignore: "skip" in CHROMIUM,
}, async (t) => {
  assert.ok(!("skip" in CHROMIUM));
  const browser = await launchChromium(CHROMIUM);
  try {
    for (const state of Object.keys(STATES)) {
      for (const width of WIDTHS) {
        for (const scheme of SCHEMES) {
          const name = `${state}-${width}-${scheme}`;
          await t.step(
            `${name} needs no script, no second request and no scrolling aside`,
            async () => {
              await look(browser, { state, width, scheme, hasScripts: false }, async (view) => {
                const { page, requests, complaints } = view;
                await keepPicture(page, name);
                assert.deepEqual(requests, [page.url()]);
                assert.deepEqual(complaints, []);
                const [needed, given] = await page.evaluate<number[]>(
                  "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
                );
                assert.deepEqual([needed, given], [width, width]);
                assert.equal(await page.locator("h1").count(), 1);
                const background = await page.evaluate<string>(BACKGROUND);
                assert.equal(
                  background,
                  { light: "rgb(255, 255, 255)", dark: "rgb(21, 24, 28)" }[scheme],
                );
              });
            },
          );
          await t.step(`${name} has nothing that axe-core would have otherwise`, async () => {
            await look(browser, { state, width, scheme, hasScripts: true }, async ({ page }) => {
              await page.evaluate(AXE);
              const { violations, passes } = await page.evaluate<
                { violations: string[]; passes: number }
              >(RUN_AXE);
              assert.deepEqual(violations, []);
              assert.ok(passes > 10, `${passes} rules have looked at something`);
            });
          });
        }
      }
    }

    await t.step("the form shows the devices that were asked for", async () => {
      const look360 = { state: "failing", width: 360, scheme: "light", hasScripts: false } as const;
      await look(browser, look360, async ({ page }) => {
        await page.getByLabel("Id begins with").fill("esp32-");
        await page.getByLabel("only failing").check();
        await page.getByRole("button", { name: "Show" }).click();
        await page.waitForURL("**/?device=esp32-&only=failing");
        const cells = await page.locator("td.device").allInnerTexts();
        const ids = cells.map((text) => text.split("\n")[0]);
        assert.deepEqual(ids, ["esp32-attic", "esp32-barn", "esp32-cellar", "esp32-yard"]);
        assert.equal(await page.getByLabel("Id begins with").inputValue(), "esp32-");
      });
    });
  } finally {
    await browser.close();
  }
});

if ("skip" in CHROMIUM) {
  Deno.test.ignore(`The page in a browser: ${CHROMIUM.skip}`, () => {});
}
