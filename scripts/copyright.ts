/**
 * Whose work dist/ is, in Debian's machine-readable form (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/): the project,
 * Node.js with the libraries that are compiled into it, and the npm packages that are bundled, each with its licence. Pure.
 */

export type Licensed = { readonly folder: string; readonly name: string; readonly version: string; readonly licence: string; readonly text: string };
export type Component = { readonly name: string; readonly place: string; readonly text: string };

/** A package's folder in the tree, from the path of one of its files; null: a file of the project. */
export function packageFolder(path: string): string | null {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? null;
}

/** What Node's LICENSE says of itself, and of each library. */
export function readNodeLicence(text: string): { readonly own: string; readonly components: readonly Component[] } {
  const [own = ''] = text.split(/^The externally maintained libraries/m);
  const components = [...text.matchAll(/^- (.+?), located at (\S+), is licensed as follows:\n {2}"""\n([^]*?)^ {2}"""$/gm)].map(([, name = '', place = '', body = '']) => ({
    name,
    place: place.replace(/\/$/, ''),
    text: body.replaceAll(/^ {4}/gm, ''),
  }));
  if (components.length === 0) throw new Error("Node's LICENSE names no library: is it written in another form now?");
  return { own, components };
}

export function copyrightText({ node, packages }: { readonly node: { readonly version: string; readonly text: string }; readonly packages: readonly Licensed[] }): string {
  const { own, components } = readNodeLicence(node.text);
  return [
    ['Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/', 'Upstream-Name: netwalld', `Comment: ${wrapped(`Node.js ${node.version} is usr/lib/netwall/lib/node, the npm packages are bundled into usr/lib/netwall/lib/*.mjs.`)}`].join('\n'),
    paragraph('*', 'the authors of netwalld', 'none', 'No licence is granted to third parties.'),
    paragraph('node/*', copyrightLines(own), 'node', own),
    ...components.map(({ name, place, text }) => paragraph(`node/${place}${/\.\w+$/.test(place) ? '' : '/*'}`, copyrightLines(text), `node-${slug(name)}`, text, name)),
    ...packages.map(({ folder, name, version, licence, text }) => paragraph(`${folder}/*`, copyrightLines(text), `${licence}-${slug(name)}`, text, `${name} ${version}, ${licence}`)),
  ].join('\n\n');
}

function paragraph(files: string, copyright: string, licence: string, text: string, comment?: string): string {
  return [`Files: ${files}`, ...(comment === undefined ? [] : [`Comment: ${comment}`]), `Copyright: ${copyright}`, `License: ${licence}`, indented(referred(text))].join('\n');
}

/** Debian has the text of the Apache licence once, for all packages. */
function referred(text: string): string {
  return text.replace(
    /^ *Apache License\n *Version 2\.0, January 2004\n[^]*?END OF TERMS AND CONDITIONS\n/gm,
    'Licensed under the Apache License, Version 2.0. On Debian systems its text is\nin /usr/share/common-licenses/Apache-2.0.\n',
  );
}

/** The lines that claim something; a licence's own words about copyright notices do not. */
function copyrightLines(text: string): string {
  const lines = text.split('\n').filter((line) => /^\W*(?:copyright|\(c\)|©) *(?:\(c\)|©|[A-Z\d])/.test(line.replace(/copyright/i, 'copyright')) && !/notice|holder|owner|licen[cs]e/i.test(line));
  const claims = [...new Set(lines.map((line) => line.replace(/^[\s*#/-]+/, '').trim()))];
  return claims.length === 0 ? 'as the licence says' : claims.join('\n  ');
}

/** Continuation lines; an empty one is a dot. */
const indented = (text: string) => text.trim().split('\n').map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)).join('\n');
const wrapped = (text: string) => text.replaceAll(/(.{60,76}) /g, '$1\n ');
const slug = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-').replaceAll(/^-|-$/g, '');
