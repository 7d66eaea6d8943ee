import type { PlatformDescriptor, PlatformSettings } from './platform.ts';

/** Holds a descriptor to its own settings and gives it as the registry keeps it, where the keys are only known to it. */
export function definePlatform<const S extends PlatformSettings>(
  descriptor: PlatformDescriptor<S>,
): PlatformDescriptor {
  // `open` is given what the configuration read by these very settings, so that the wider type promises nothing more.
  return descriptor as unknown as PlatformDescriptor;
}
