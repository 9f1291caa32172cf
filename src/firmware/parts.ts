/**
 * Which part of an artifact is meant by what a device asks for: the entry of an index, the layer of
 * a manifest.
 *
 * @module
 */

import {
  type Descriptor,
  DOCKER_REFERENCE_TYPE_ANNOTATION,
  type ImageManifest,
  TITLE_ANNOTATION,
} from "../oci.ts";
import type { Selection } from "../selection.ts";

/** Annotation: the hardware that a manifest is for, where a platform cannot say it. */
const VARIANT_ANNOTATION = "dev.otaflux.variant";

/** So many files of an artifact are listed; each title is kept in memory. */
const FILES_LIMIT = 16;

/** So many characters are kept of each title. */
const TITLE_LENGTH_LIMIT = 256;

/**
 * The entry of an index that is for a device's hardware; attestations aside.
 *
 * @param entries What the index lists.
 * @param selection What is asked for.
 * @returns The first entry that is meant; the first of all where no hardware is asked for.
 */
export function chooseEntry(
  entries: readonly Descriptor[],
  selection: Selection,
): Descriptor | undefined {
  const { variant, platform } = selection;
  const images = entries.filter((entry) => !isAttestation(entry))
    .filter((entry) => platform === undefined || isOfPlatform(entry, platform));
  if (variant === undefined) return images[0];
  // What somebody has written down for this purpose goes before what happens to be called so.
  return images.find(({ annotations }) => annotations?.[VARIANT_ANNOTATION] === variant) ??
    images.find((entry) => isOfVariant(entry, variant));
}

/**
 * Tells whether a manifest that stands alone is for a device's hardware. It has no platform.
 *
 * @param manifest The manifest.
 * @param selection What is asked for.
 * @returns Whether it is, or no hardware is asked for.
 */
export function isForHardware(
  { annotations }: ImageManifest,
  { variant, platform }: Selection,
): boolean {
  return platform === undefined &&
    (variant === undefined || annotations[VARIANT_ANNOTATION] === variant);
}

/**
 * The layer that is asked for.
 *
 * @param layers Of a manifest.
 * @param selection What is asked for.
 * @returns The first layer of that title; the first of all where no file is asked for.
 */
export function chooseLayer(
  layers: readonly Descriptor[],
  { file }: Selection,
): Descriptor | undefined {
  return file === undefined ? layers[0] : layers.find((layer) => titleOf(layer) === file);
}

/**
 * The files that can be asked for.
 *
 * @param layers Of a manifest.
 * @returns Titles, as many and as long as are kept.
 */
export function fileTitles(layers: readonly Descriptor[]): readonly string[] {
  const titles = layers.map(titleOf).filter((title) => title !== undefined);
  return [...new Set(titles)].filter(({ length }) => length <= TITLE_LENGTH_LIMIT)
    .slice(0, FILES_LIMIT);
}

function titleOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[TITLE_ANNOTATION];
}

/** BuildKit adds these to say how an image was built: they are no images. */
function isAttestation({ platform, annotations }: Descriptor): boolean {
  return (platform?.os === "unknown" && platform.architecture === "unknown") ||
    annotations?.[DOCKER_REFERENCE_TYPE_ANNOTATION] === "attestation-manifest";
}

function isOfPlatform({ platform }: Descriptor, wanted: string): boolean {
  const [os, architecture, variant] = wanted.split("/");
  return platform?.os === os && platform?.architecture === architecture &&
    (variant === undefined || platform?.variant === variant);
}

function isOfVariant({ platform }: Descriptor, wanted: string): boolean {
  return platform?.variant === wanted || platform?.architecture === wanted ||
    (platform?.["os.features"] ?? []).includes(wanted);
}
