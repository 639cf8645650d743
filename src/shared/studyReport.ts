/** The study as a page to read: Markdown with the numbers that Wang et al. (2022) report for GPT-2 small beside it. */
import { type ClassAverage, classAverages } from './classAverages.ts';
import {
  classTitles,
  headClasses,
  studyHeadName as nameOf,
  studyNodeName as nodeName,
  paperFigures,
  paperHeads,
} from './ioiPaper.ts';
import type { IoiStudy, StudiedCircuit, StudyProvenance } from './study.ts';
import { studyStrings } from './studyStrings.ts';

const averageWords: Readonly<Record<ClassAverage['name'], string>> = {
  moversAttention: 'name movers: attention END→IO',
  moversCopy: 'name movers: copy score',
  negativeCopy: 'negative name movers: negative copy score',
  inhibitionAttention: 'S-inhibition heads: attention END→S2',
  anyCopy: 'all heads: copy score',
  anyNegativeCopy: 'all heads: negative copy score',
};

const signalWords = { '1': 'original', '0': 'random', '-1': 'inverted' } as const;

/** `name` is the model's. */
export function studyReport(study: IoiStudy, name: string): string {
  const parts = [
    `# Indirect objects in ${plain(name)}`,
    ...doubtPart(study),
    `The study of Wang et al. 2022, *Interpretability in the Wild*, on ${study.pairs} pairs of the task ${plain(study.task)}. Numbers of the paper are those of GPT-2 small.`,
    behaviourPart(study),
    classPart(study),
    headPart(study),
    signalPart(study),
    circuitPart(study),
    methodPart(study),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** At the top, so that nobody reads on without it. */
function doubtPart({ doubts = [] }: IoiStudy): string[] {
  if (doubts.length === 0) return [];
  const reasons = doubts.map((doubt) => studyStrings[`studyDoubt_${doubt}`]);
  return [`**${studyStrings.studyDoubt}** ${reasons.join(' ')}`];
}

function behaviourPart({ behaviour, withoutNameMovers }: IoiStudy): string {
  const rows = [
    ['mean logit difference, IO − S', decimal(behaviour.logitDifference), '3.56'],
    ['IO above S', percent(behaviour.accuracy), '99.3 %'],
    ['probability of IO', percent(behaviour.probability), '49 %'],
    ['mean logit difference after ABC prompts', decimal(behaviour.corruptedLogitDifference), ''],
  ];
  if (withoutNameMovers !== undefined) {
    const change = (withoutNameMovers - behaviour.logitDifference) / Math.abs(behaviour.logitDifference);
    rows.push(['change when all name movers are knocked out', percent(change), '−5 %']);
  }
  return `## Behaviour\n\n${table(['', 'this model', 'paper'], rows)}`;
}

function classPart({ heads }: IoiStudy): string {
  const rows = headClasses.map((name) => {
    const found = heads.filter((head) => head.class === name).map(nameOf);
    return [classTitles[name], found.join(', ') || 'none', paperHeads[name] ?? ''];
  });
  const averages = classAverages(heads).map(({ name, paper, value }) => [
    averageWords[name],
    value === undefined ? 'none' : decimal(value),
    paper,
  ]);
  return `## Heads by class\n\n${table(['class', 'this model', 'paper'], rows)}\n\n${table(['mean over heads', 'this model', 'paper'], averages)}`;
}

function headPart({ heads }: IoiStudy): string {
  const classified = heads.filter((head) => head.class);
  if (classified.length === 0) return 'No head passes any test.';
  const rows = classified.map((head) => {
    const { effects, attention } = head;
    return [
      nameOf(head),
      classTitles[head.class!],
      ...[effects.logits, effects.logitsKnockedOut, effects.queries, effects.values, effects.keys].map(
        percent,
      ),
      ...[attention.IO, attention.S1, attention.S2, head.copyScore, head.negativeCopyScore].map(decimal),
      ...[head.previousToken, head.duplicateToken, head.induction].map(decimal),
    ];
  });
  const paths = ['logits', 'logits, movers out', 'queries', 'values', 'keys'];
  const columns = [
    'head',
    'class',
    ...paths,
    'END→IO',
    'END→S1',
    'END→S2',
    'copies',
    'copies −',
    'previous',
    'duplicate',
    'induction',
  ];
  return `Effects of path patching are changes of the mean logit difference as shares of its size: heads with negative ones raise it.\n\n${table(columns, rows)}`;
}

function signalPart({ signals }: IoiStudy): string {
  if (!signals) return '';
  const rows = signals.variants.map(({ token, position, logitDifference }, i) => [
    signalWords[token],
    signalWords[position],
    decimal(logitDifference),
    decimal(paperFigures.signals[i]!),
  ]);
  const fit = `Fit: ${decimal(signals.position)} · S_pos + ${decimal(signals.token)} · S_tok, mean error ${percent(signals.error)} of the original (paper: 2.31 · S_pos + 0.99 · S_tok, 7 %); ${signals.pairs} pairs.`;
  return `## What S-inhibition heads pass on\n\n${table(['token signal', 'position signal', 'logit difference', 'paper'], rows)}\n\n${fit}`;
}

function circuitPart({ circuit, classCircuit }: IoiStudy): string {
  if (!circuit) return '';
  const { minimality, heldOut } = circuit;
  const size = `${circuit.nodes.length} of ${circuit.allNodes} (${percent(circuit.nodes.length / circuit.allNodes)})`;
  const found = criteriaOf(circuit);
  const unseen = heldOut ? criteriaOf(heldOut) : [];
  const rows = [
    ['nodes', size, heldOut ? size : '', '26 heads'],
    ...found.map(([name, value, paper], i) => [name, value, unseen[i]?.[1] ?? '', paper]),
  ];
  if (classCircuit) {
    const name = '|F(M) − F(C)| / F(M) of the classes alone';
    rows.push([name, percent(classCircuit.unfaithfulness), '', '13 %']);
  }
  const tests = heldOut
    ? `The nodes were chosen by the pairs of the first column; the second is measured on ${heldOut.pairs} other pairs.`
    : 'The circuit is measured on the pairs that its nodes were chosen by: too few others were left.';
  const parts = [
    `## Circuit\n\n${tests}\n\n${table(['', 'chosen by', 'held out', 'paper'], rows)}`,
    removalTable(circuit),
    `### Nodes\n\n${table(
      ['node', 'matters by', 'when these are removed'],
      minimality.map(({ node, effect, removed }) => [
        nodeName(node),
        percent(effect),
        removed.map(nodeName).join(', ') || 'none',
      ]),
    )}`,
  ];
  return parts.join('\n\n');
}

type Criteria = Pick<
  StudiedCircuit,
  'model' | 'circuit' | 'empty' | 'unfaithfulness' | 'completeness' | 'minimality'
>;

/** What is measured of a circuit on some pairs: a name, the number, and the paper's. */
function criteriaOf(circuit: Criteria): (readonly [string, string, string])[] {
  const { completeness, minimality } = circuit;
  const random = completeness.random.map(({ incompleteness }) => incompleteness);
  const least = minimality.reduce((least, { effect }) => Math.min(least, effect), Number.POSITIVE_INFINITY);
  const greedy = completeness.greedy ? percent(completeness.greedy.incompleteness) : 'not searched';
  return [
    ['F(M)', decimal(circuit.model), '3.56'],
    ['F(C)', decimal(circuit.circuit), '3.10'],
    ['|F(M) − F(C)| / F(M)', percent(circuit.unfaithfulness), '13 %'],
    ['F of no head at all', decimal(circuit.empty), ''],
    ['incompleteness, random sets, mean', percent(mean(random)), ''],
    ['incompleteness, random sets, worst', percent(Math.max(0, ...random)), ''],
    ['incompleteness, greedy', greedy, ''],
    ['least effect of a node', Number.isFinite(least) ? percent(least) : '', '1 %'],
  ];
}

function removalTable({ completeness }: StudiedCircuit): string {
  const rows = completeness.byClass.map((removal) => [
    removal.class === 'other' ? 'no class' : classTitles[removal.class],
    decimal(removal.circuit),
    decimal(removal.model),
    percent(removal.incompleteness),
  ]);
  return `### Without one class K\n\n${table(['class', 'F(C∖K)', 'F(M∖K)', 'apart'], rows)}`;
}

function methodPart({ thresholds, smallestTemplate, receivers, provenance }: IoiStudy): string {
  const list = (heads: readonly { layer: number; head: number }[]) => heads.map(nameOf).join(', ') || 'none';
  const few = smallestTemplate < 5 ? ' That is few: means are noisy, so use more pairs.' : '';
  return [
    '## How it was done',
    `Path patching from ABC prompts, everything but sender and receivers frozen, MLPs and norms recomputed. Receivers: queries of ${list(receivers.queries)} at END, values of ${list(receivers.values)} at S2, keys of ${list(receivers.keys)} at S1+1. Knock-outs are means over the ABC prompts of the same template at the same position; the mean over fewest has ${smallestTemplate}.${few} "other" are all positions without a role.`,
    `Thresholds: ${Object.entries(thresholds)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}.`,
    ...(provenance ? [`${plain(provenanceLine(provenance))}.`] : []),
  ].join('\n\n');
}

/** Where the numbers come from, in one line. */
export function provenanceLine({ version, model, bos, precision, seed }: StudyProvenance): string {
  const begin =
    bos === 'prepended' ? 'beginning-of-sequence token prepended' : 'no beginning-of-sequence token';
  return `${model.name} ${model.hash.slice(0, 12)}, ${precision}, ${begin}, seed ${seed}, Fovea ${version}`;
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function decimal(value: number): string {
  return value.toFixed(2).replace('-', '−');
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1).replace('-', '−')} %`;
}

/** Names come from files: nothing in them is markup. */
function plain(text: string): string {
  return text
    .replace(/[^\p{L}\p{N} .,_/-]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
}
