/** A document that has the right shape becomes a policy or groups: every part of it gets the place it is written at. */
import type { DestinationValue } from './destination.ts';
import type { Destination, DestinationGroup, EgressEntry, IngressEntry, Policy, Position, PrincipalKind } from './policy.ts';
import type { GroupsShape, PolicyShape } from './schema.ts';
import { positionAt, type SourceText } from './source-text.ts';
import { keyStart, type Tree, treeAt } from './yaml-tree.ts';

type Path = readonly (string | number)[];

/** `tree` is what the shape was read from. */
export function policyOf(shape: PolicyShape, tree: Tree, source: SourceText): Policy {
  const places = new Places(tree, source);
  const { service, match, mode, dns, egress, ingress } = shape;
  const kind: PrincipalKind = match.user === undefined ? 'group' : 'user';
  const ids = match.user ?? match.group ?? [];
  return {
    service,
    at: places.key([], 'service'),
    kind,
    subjects: ids.map((id, index) => ({ id, at: places.item(['match', kind], index) })),
    mode,
    dns,
    egress: {
      allow: egress.allow.map(({ to, ports, private: isPrivate }, index): EgressEntry => {
        const path = ['egress', 'allow', index];
        return { to: places.destinations(to, [...path, 'to']), ports, private: isPrivate, at: places.at(path) };
      }),
      deny: egress.deny.map(({ to, ports }, index): EgressEntry => {
        const path = ['egress', 'deny', index];
        return { to: places.destinations(to, [...path, 'to']), ports, private: false, at: places.at(path) };
      }),
    },
    ingress: {
      allow: ingress.allow.map(({ from, ports }, index): IngressEntry => {
        const path = ['ingress', 'allow', index];
        return { from: from === undefined ? null : places.destinations(from, [...path, 'from']), ports, at: places.at(path) };
      }),
    },
  };
}

export function groupOf(shape: GroupsShape, tree: Tree, source: SourceText): DestinationGroup[] {
  const places = new Places(tree, source);
  return Object.entries(shape.groups).map(([name, members]) => ({
    name,
    destinations: places.destinations(members, ['groups', name]),
    at: places.key(['groups'], name),
  }));
}

class Places {
  readonly #tree: Tree;
  readonly #source: SourceText;

  constructor(tree: Tree, source: SourceText) {
    this.#tree = tree;
    this.#source = source;
  }

  at(path: Path): Position {
    return positionAt(this.#source, (treeAt(this.#tree, path) ?? this.#tree).start);
  }

  key(path: Path, key: string): Position {
    const map = treeAt(this.#tree, path);
    return map?.kind === 'map' ? positionAt(this.#source, keyStart(map, key)) : this.at(path);
  }

  /** An item of what is one scalar or a list of them. */
  item(path: Path, index: number): Position {
    return this.at(treeAt(this.#tree, path)?.kind === 'list' ? [...path, index] : path);
  }

  destinations(values: readonly DestinationValue[], path: Path): Destination[] {
    return values.map((value, index) => ({ ...value, at: this.item(path, index) }));
  }
}
