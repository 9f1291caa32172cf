/**
 * Where firmware comes from.
 *
 * @module
 */

import { readCertificates } from "./certificates.ts";
import type { SettingValues } from "./settings.ts";
import { type FileAccess, invalid, listFolder, readPassword, UsageError } from "./usage.ts";

/** Firmware comes from a registry. */
export interface RegistryConfig {
  /** Tells it from layouts. */
  readonly kind: "registry";
  /** Its address. */
  readonly url: URL;
  /** Who we are there; anonymous without. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Where the password is read again; undefined where it is always the same. */
  readonly passwordFile: string | undefined;
  /** Certificates in PEM that are trusted besides those of public authorities, which Deno brings. */
  readonly caCertificates: readonly string[];
  /** How long it may make no progress, in milliseconds. */
  readonly timeoutMs: number;
}

/** Firmware comes from image layouts. */
export interface LayoutConfig {
  /** Tells it from a registry. */
  readonly kind: "layout";
  /** The folder that holds them. */
  readonly directory: string;
}

/**
 * Decides between a registry and layouts.
 *
 * @param values All settings.
 * @param files Access to files.
 * @returns The one that is meant.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function resolveSource(
  values: SettingValues,
  files: FileAccess,
): RegistryConfig | LayoutConfig {
  const { registryUrl, layoutDir } = values;
  if (registryUrl !== undefined && layoutDir !== undefined) {
    throw new UsageError("--registry-url and --layout-dir exclude each other, want one of them");
  }
  if (registryUrl !== undefined) {
    return {
      kind: "registry",
      url: resolveRegistryUrl(registryUrl, values.registryInsecure),
      credentials: resolveCredentials(values, files),
      passwordFile: values.registryPasswordFile,
      caCertificates: resolveCaCertificates(values, files),
      timeoutMs: values.registryTimeout,
    };
  }
  if (layoutDir !== undefined) {
    return { kind: "layout", directory: checkLayouts(layoutDir, files) };
  }
  throw new UsageError(
    "Where firmware comes from is not said, want --registry-url or --layout-dir (see --help)",
  );
}

function checkLayouts(directory: string, files: FileAccess): string {
  const names = files.isDirectory(directory) ? listFolder(directory, files) : undefined;
  if (names === undefined) {
    throw invalid("--layout-dir", directory, "a folder that exists and can be read");
  }
  if (["oci-layout", "index.json"].every((name) => names.includes(name))) {
    throw invalid(
      "--layout-dir",
      directory,
      "the folder that holds layouts, and this is one of them",
    );
  }
  return directory;
}

/** What references to Docker Hub begin with: its registry answers elsewhere. */
const DOCKER_HUB = ["docker.io", "index.docker.io"];

function resolveRegistryUrl(value: string, isInsecure: boolean): URL {
  const [, scheme = "https://", rest = ""] = /^(https?:\/\/)?([^]*)$/i.exec(value) ?? [];
  // Not by `URL.protocol`: a port that is the default of https would be lost.
  const url = new URL(`${isInsecure ? "http://" : scheme}${rest}`);
  if (DOCKER_HUB.includes(url.hostname)) url.hostname = "registry-1.docker.io";
  return url;
}

function resolveCredentials(
  values: SettingValues,
  files: FileAccess,
): RegistryConfig["credentials"] {
  const { registryUsername = "", registryPasswordFile: file } = values;
  if (values.registryPassword && file !== undefined) {
    throw new UsageError("--registry-password and --registry-password-file exclude each other");
  }
  // RFC 7617, 2: a colon would move the border between name and password.
  if (registryUsername.includes(":")) {
    // What stands behind it may be meant as the password.
    const name = registryUsername.replace(/:[^]*/, ":…");
    throw invalid("--registry-username", name, "a name without a colon");
  }
  const password = file === undefined
    ? values.registryPassword ?? ""
    : readPassword("--registry-password-file", file, files);
  return registryUsername === "" && password === ""
    ? undefined
    : { username: registryUsername, password };
}

function resolveCaCertificates(values: SettingValues, files: FileAccess): readonly string[] {
  const { registryCaCertPath: file } = values;
  if (file === undefined) return [];
  return readCertificates("--registry-ca-cert-path", file, files);
}
