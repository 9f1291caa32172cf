/**
 * How it is said whether the service is there.
 *
 * @module
 */

/** At least one replica is connected. */
export const ONLINE = "online";

/** The last one that was connected has gone. */
export const OFFLINE = "offline";
