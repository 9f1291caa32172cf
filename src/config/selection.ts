/**
 * What is looked for where a request does not say.
 *
 * @module
 */

import type { Selection } from "../selection.ts";
import type { SettingValues } from "./settings.ts";

/**
 * Joins the settings that choose a version.
 *
 * @param values All settings.
 * @returns What is said; empty where nothing is.
 */
export function resolveSelection({ defaultConstraint, prerelease }: SettingValues): Selection {
  return {
    ...(defaultConstraint !== undefined && { constraint: defaultConstraint }),
    ...(prerelease !== undefined && { prerelease }),
  };
}
