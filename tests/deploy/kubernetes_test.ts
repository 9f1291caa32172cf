import assert from "node:assert/strict";
import { join } from "node:path";
import meta from "../../deno.json" with { type: "json" };
import { SETTINGS, variableOf } from "../../src/config/settings.ts";
import { run } from "../helpers/cache.ts";
import { pypiPackage } from "../helpers/pypi.ts";

const MANIFESTS = join(import.meta.dirname ?? ".", "..", "..", "deploy", "kubernetes");

/** It brings the schemas of Kubernetes along. */
const validate = await pypiPackage("kubernetes-validate", "1.37.0");

async function manifest(name: string): Promise<string> {
  return await Deno.readTextFile(join(MANIFESTS, name));
}

for (const version of ["1.34", "1.37"]) {
  Deno.test(`Kubernetes ${version} takes the manifests, and knows each of their fields`, {
    ignore: "skip" in validate,
  }, async () => {
    if ("skip" in validate) return;
    const files = (await Array.fromAsync(Deno.readDir(MANIFESTS))).map(({ name }) => name);
    assert.ok(files.length >= 5);
    const { success, stdout, stderr } = await run(join(validate.bin, "kubernetes-validate"), {
      args: ["--strict", "-k", version, ...files],
      cwd: MANIFESTS,
      env: validate.env,
    });
    assert.ok(success, stdout + stderr);
  });
}

Deno.test("the ConfigMap names settings that there are", async () => {
  const text = await manifest("configmap.yaml");
  const named = [...text.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => `${name}`);
  const variables = Object.keys(SETTINGS).map(variableOf);
  assert.ok(named.length > 0);
  assert.deepEqual(named.filter((name) => !variables.includes(name)), []);
});

Deno.test("pods fit what Kubernetes calls restricted", async () => {
  const text = await manifest("deployment.yaml");
  // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
  for (
    const line of [
      "runAsNonRoot: true",
      "type: RuntimeDefault",
      "allowPrivilegeEscalation: false",
      "drop: [ALL]",
      "readOnlyRootFilesystem: true",
      "automountServiceAccountToken: false",
    ]
  ) {
    assert.ok(text.split("\n").some((one) => one.trim() === line), line);
  }
  assert.doesNotMatch(text, /hostNetwork|hostPID|hostIPC|hostPath|hostPort|privileged/);
});

Deno.test("pods run the version that this is", async () => {
  assert.match(await manifest("deployment.yaml"), new RegExp(`image: \\S+:${meta.version}$`, "m"));
});

Deno.test("two replicas run, one of them always, and devices keep to theirs", async () => {
  assert.match(await manifest("deployment.yaml"), /^ {2}replicas: 2$/m);
  assert.match(await manifest("poddisruptionbudget.yaml"), /^ {2}minAvailable: 1$/m);
  assert.match(await manifest("service.yaml"), /^ {2}sessionAffinity: ClientIP$/m);
});
