/**
 * What the documents take for granted: the files of a machine, a clone of this repository, and
 * devices with firmware.
 *
 * @module
 */

import { join } from "node:path";
import { checksums } from "../../../deploy/compile.ts";
import meta from "../../../deno.json" with { type: "json" };
import { orasArtifact } from "../artifacts.ts";
import { makeCertificates } from "../certificates.ts";
import { DOCKER_REGISTRY_USER, type DockerRegistry } from "../docker_registry.ts";
import { firmwareBytes } from "../firmware_bytes.ts";
import { writeLayout } from "../layout.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..", "..");

/** What `deno task start` and `deno task demo` need of the repository, and what is shown of it. */
const CLONE = ["main.ts", "deno.json", "deno.lock", "src", "deploy", "tests/helpers", "Dockerfile"];

/** The folders of a town. */
export interface Folders {
  /** Programs; made by somebody else. */
  readonly bin: string;
  /** Where commands are run. */
  readonly clone: string;
  /** What programs keep of their user. */
  readonly home: string;
  /** What stands for `/`. */
  readonly root: string;
}

/** Pushes the firmware of the devices that the documents name. */
export async function pushFirmware(registry: DockerRegistry): Promise<void> {
  const c3 = orasArtifact(firmwareBytes(1_000_003));
  for (const prefix of ["", "factory/", "my-project/"]) {
    for (const tag of ["v1.2.0", "latest"]) await registry.push(`${prefix}esp32-c3`, tag, c3);
  }
  // What deploy/demo.ts serves.
  await registry.push("esp32-garden", "v1.1.0", orasArtifact(firmwareBytes(314_159, 3)));
}

/**
 * Writes all files.
 *
 * @param host Of the registry, for whoever pushes there.
 */
export async function furnish(folders: Folders, host: string): Promise<void> {
  await furnishClone(folders);
  await furnishRoot(folders);
  await furnishHome(folders, host);
}

async function furnishClone({ bin, clone }: Folders): Promise<void> {
  for (const path of CLONE) await copy(join(REPOSITORY, path), join(clone, path));
  await Deno.writeFile(join(clone, "firmware.bin"), firmwareBytes(1000));
  const firmware = orasArtifact(firmwareBytes(1000, 2));
  await writeLayout(join(clone, "firmware", "esp32-c3"), "1.0.0", firmware);
  // What `deno task compile` would make, were it run.
  const dist = join(clone, "dist");
  await Deno.mkdir(dist);
  const paths = ["x86_64", "aarch64"].map((arch) =>
    join(dist, `otaflux-${meta.version}-linux-${arch}`)
  );
  for (const path of paths) await Deno.copyFile(join(bin, "otaflux"), path);
  await Deno.writeTextFile(join(dist, "SHA256SUMS"), await checksums(paths));
}

async function furnishRoot({ root }: Folders): Promise<void> {
  const etc = join(root, "etc", "otaflux");
  const others = ["etc/bash_completion.d", "etc/systemd/system", "run/secrets", "usr/local/bin"];
  for (const path of [etc, ...others.map((path) => join(root, path))]) {
    await Deno.mkdir(path, { recursive: true });
  }
  for (const name of ["registry", "mqtt"]) {
    await Deno.writeTextFile(
      join(root, "run", "secrets", name),
      `${DOCKER_REGISTRY_USER.password}\n`,
    );
  }
  const { certPath, keyPath } = await makeCertificates(etc);
  await Deno.rename(certPath, join(etc, "fullchain.pem"));
  await Deno.rename(keyPath, join(etc, "privkey.pem"));
  const fixtures = join(REPOSITORY, "tests", "fixtures", "cosign");
  await Deno.copyFile(join(fixtures, "p256.pub"), join(etc, "cosign.pub"));
  await Deno.copyFile(join(fixtures, "trusted_root.json"), join(etc, "trusted_root.json"));
}

async function furnishHome({ home }: Folders, host: string): Promise<void> {
  const { username, password } = DOCKER_REGISTRY_USER;
  const auths = { [host]: { auth: btoa(`${username}:${password}`) } };
  for (const path of [".docker", ".config/fish/completions"]) {
    await Deno.mkdir(join(home, path), { recursive: true });
  }
  await Deno.writeTextFile(join(home, ".docker", "config.json"), JSON.stringify({ auths }));
  // By itself curl is content with a 404.
  await Deno.writeTextFile(join(home, ".curlrc"), "fail\n");
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(join(to, ".."), { recursive: true });
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}
