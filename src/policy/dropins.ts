/** Which policy files are in effect, of all that lie in the directories: systemd's habit with drop-ins. Pure. */

/** A file in one of the directories. */
export type DropIn = {
  readonly name: string;
  /** Nothing in it, or a link to /dev/null: it only masks. */
  readonly empty: boolean;
};

/** A file that has no effect, and the one of the same name in a higher directory that masks it. */
export type Masked<File extends DropIn> = File & { readonly by: File };

export type EffectiveFiles<File extends DropIn> = {
  /** In name order; none of them empty. */
  readonly files: readonly File[];
  /** In name order, of one name by falling precedence. */
  readonly masked: readonly Masked<File>[];
};

/** `*.yaml` and `*.yml`. Hidden files and the copies that editors and dpkg leave (`a.yaml~`, `.a.yaml.swp`, `a.yaml.dpkg-old`) are none. */
export function isPolicyFileName(name: string): boolean {
  return /^[^.#][^/]*\.ya?ml$/.test(name);
}

/** `directories` holds the files of each directory, highest precedence first. */
export function effectiveFiles<File extends DropIn>(directories: readonly (readonly File[])[]): EffectiveFiles<File> {
  const highest = new Map<string, File>();
  const masked: Masked<File>[] = [];
  for (const file of directories.flat().filter(({ name }) => isPolicyFileName(name))) {
    const by = highest.get(file.name);
    if (by === undefined) highest.set(file.name, file);
    else masked.push({ ...file, by });
  }
  return {
    files: [...highest.values()].filter(({ empty }) => !empty).sort(byName),
    masked: masked.sort(byName),
  };
}

/** By code unit: the same everywhere, whatever the locale. */
function byName({ name: a }: DropIn, { name: b }: DropIn): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
