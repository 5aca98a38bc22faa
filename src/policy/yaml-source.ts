/**
 * Source text to YAML documents. The lexer is driven by hand, so that a file that is too deep, too long or has too many
 * documents is given up where it becomes so, before anything recursive sees it.
 */
import { Composer, CST, type Document, Lexer, Parser, type YAMLError } from 'yaml';
import type { Problem } from './problem.ts';
import { problemIn, type SourceText } from './source-text.ts';
import { type Tree, treeOf } from './yaml-tree.ts';
import { quoted, visible } from './visible.ts';

/** Of values in values; a policy has seven levels. */
const MAX_DEPTH = 32;
const MAX_DOCUMENTS = 1000;
/** Lexical tokens, but for space and comments. A MiB of list items, one address each, has 200,000. */
const MAX_TOKENS = 250_000;
/** Of one document: the first mistakes are the ones made, the others follow from them. */
const MAX_SYNTAX_PROBLEMS = 5;

/** `failsafe`: all scalars stay text, and mean what `yaml-tree.ts` says. Repeated keys are found there, in linear time. */
export const YAML_OPTIONS = {
  version: '1.2',
  schema: 'failsafe',
  resolveKnownTags: false,
  strict: true,
  uniqueKeys: false,
  merge: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/** `sound`: nothing is wrong with it as YAML. Otherwise the tree is what could be made out, for salvage. */
export type YamlDocument = { readonly tree: Tree; readonly sound: boolean };

export type YamlSource = { readonly documents: readonly YamlDocument[]; readonly problems: readonly Problem[] };

/** The documents that say anything; those without any content are left out. Never throws. */
export function readYaml(source: SourceText): YamlSource {
  const { tokens, complete, problems } = tokenize(source);
  const composed = compose(tokens, source);
  const parts = composed.documents.map((document) => readDocument(document, source));
  const documents = parts.flatMap(({ tree, problems }) => (tree === null || isEmpty(tree) ? [] : [{ tree, sound: complete && problems.length === 0 }]));
  // what else is wrong with a file that was given up is mostly that it was
  return { documents, problems: complete ? [...problems, ...composed.problems, ...parts.flatMap(({ problems }) => problems)] : problems };
}

function readDocument(document: Document.Parsed, source: SourceText): { tree: Tree | null; problems: readonly Problem[] } {
  const { tree, problems } = treeOf(document, source);
  const syntax = syntaxProblems(document, source, problems.length > 0);
  // what the tree lacks is mostly a consequence of the syntax
  return { tree, problems: syntax.length > 0 ? syntax : problems };
}

function isEmpty(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.value === null && tree.start === tree.end;
}

function tokenize(source: SourceText): { tokens: CST.Token[]; complete: boolean; problems: Problem[] } {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const problems: Problem[] = [];
  let lexemes = 0;
  let documents = 0;
  let previous = '';
  let complete = true;
  const refuse = (offset: number, message: string, hint: string, length = 1) => problems.push(problemIn(source, offset, length, message, hint));
  for (const lexeme of new Lexer().lex(source.text)) {
    const { offset } = parser;
    for (const token of parser.next(lexeme)) {
      if (token.type === 'document') documents += 1;
      if (token.type === 'directive') refuse(token.offset, 'YAML directives are not allowed', 'remove the line', token.source.length);
      else tokens.push(token);
    }
    // what follows this mark is the text of a scalar, whatever it looks like
    if (previous !== CST.SCALAR && CST.tokenType(lexeme) === 'tag') {
      refuse(offset, `the YAML tag ${quoted(lexeme)} is not allowed`, 'quote the text if the "!" is meant, otherwise remove the tag', lexeme.length);
    }
    previous = lexeme;
    if (!/^[ \t\r\n#]/.test(lexeme)) lexemes += 1;
    // the bottom of the stack is the document
    if (parser.stack.length - 1 > MAX_DEPTH) refuse(offset, `nested deeper than ${MAX_DEPTH} levels`, 'a policy needs seven');
    else if (documents === MAX_DOCUMENTS && parser.stack[0]?.type === 'document') refuse(offset, `more than ${MAX_DOCUMENTS} documents`, 'split it into several files');
    else if (lexemes > MAX_TOKENS) refuse(offset, 'the file has too many values', 'split it into several files');
    else continue;
    complete = false;
    break;
  }
  // closes what is still open, so that a file given up in the middle can be salvaged up to there
  tokens.push(...parser.end());
  return { tokens, complete, problems };
}

function compose(tokens: readonly CST.Token[], source: SourceText): { documents: Document.Parsed[]; problems: Problem[] } {
  try {
    return { documents: [...new Composer(YAML_OPTIONS).compose(tokens, true, source.text.length)], problems: [] };
  } catch (error) {
    // the library is not known to throw; a file it cannot read is a bad file, not the end of the daemon
    const message = `not readable as YAML: ${error instanceof Error ? error.message : String(error)}`;
    return { documents: [], problems: [problemIn(source, 0, 1, message)] };
  }
}

/** The mistakes that are made most, in words that need no knowledge of the YAML specification, and what to do about them. */
const PLAIN_WORDS: readonly (readonly [code: YAMLError['code'], pattern: RegExp, message: string | null, hint: string])[] = [
  ['BAD_SCALAR_START', /./, null, 'quote the text, for example "@internal"'],
  ['TAB_AS_INDENT', /./, null, 'indent with spaces'],
  ['BAD_INDENT', /^Flow sequence/, 'the list that "[" begins is not closed', 'close it with "]"'],
  ['BAD_INDENT', /^Flow map/, 'the mapping that "{" begins is not closed', 'close it with "}"'],
  ['BAD_INDENT', /./, null, 'indent it like its siblings'],
  ['MISSING_CHAR', /^Missing closing .quote/, 'a quoted text is not closed', 'close the quotes where the text ends'],
  ['MISSING_CHAR', /^Flow sequence/, 'the list that "[" begins is not closed', 'close it with "]"'],
  ['MISSING_CHAR', /^Flow map/, 'the mapping that "{" begins is not closed', 'close it with "}"'],
  ['MISSING_CHAR', /^Implicit map keys need/, 'a key without a value', 'write "key: value", with a space after the ":"'],
  ['MULTILINE_IMPLICIT_KEY', /./, 'a text where "key: value" should be', 'write "key: value", with a space after the ":"'],
  ['BLOCK_AS_IMPLICIT_KEY', /^Nested mappings/, 'a second ":" in one value', 'check the indentation of the next line, or quote a text that holds ": "'],
];

function syntaxProblems({ errors, warnings }: Document.Parsed, source: SourceText, refused: boolean): Problem[] {
  // what is refused elsewhere in clearer words: tags always, aliases mostly
  const own = new Set<YAMLError['code']>(['TAG_RESOLVE_FAILED', 'BAD_COLLECTION_TYPE', ...(refused ? (['BAD_ALIAS'] as const) : [])]);
  const offsets = new Set<number>();
  const problems: Problem[] = [];
  for (const { code, message, pos } of [...errors, ...warnings].toSorted((a, b) => a.pos[0] - b.pos[0])) {
    const [start, end] = pos;
    if (own.has(code) || offsets.has(start)) continue;
    offsets.add(start);
    const [, , words = null, hint] = PLAIN_WORDS.find((row) => row[0] === code && row[1].test(message)) ?? [];
    const text = visible(words ?? message);
    problems.push(problemIn(source, start, end - start, `not valid YAML: ${text.length > 120 ? `${text.slice(0, 119)}…` : text}`, hint));
    if (problems.length === MAX_SYNTAX_PROBLEMS) break;
  }
  return problems;
}
