/** The circuit: its nodes, and whether it is faithful, complete and minimal. */

import type { JSX } from 'preact';
import { paperFigures, studyHeadName, studyNodeName } from '../../src/shared/ioiPaper.ts';
import type { IoiHeadClass, StudiedCircuit, StudyHead, StudySoFar } from '../../src/shared/study.ts';
import { say, strings } from '../lib/strings.ts';
import { BarList } from '../marks/barList.tsx';
import { Completeness } from './completeness.tsx';
import { type Figure, FigureTable } from './figureTable.tsx';
import { HeadName } from './headName.tsx';
import type { SectionProps } from './studyApp.tsx';
import { classMarks, className, decimal, mean, percent } from './studyFormat.ts';
import type { StudyStore } from './studyStore.ts';

/** Nothing before the first knock-outs. */
export function CircuitSection({ store, study, has }: SectionProps): JSX.Element | null {
  const { circuit, classCircuit } = study;
  if (!circuit && !classCircuit) return null;
  const heldOut = circuit?.heldOut;
  const figures = circuit ? circuitFigures(circuit, has('completeness')) : [];
  if (classCircuit) {
    figures.push({
      name: strings.studyClassesAlone,
      here: percent(classCircuit.unfaithfulness),
      paper: percent(paperFigures.unfaithfulness),
    });
  }
  return (
    <section aria-labelledby="circuit">
      <h2 id="circuit">{strings.studyCircuitSection}</h2>
      <FigureTable
        label={strings.studyCircuitSection}
        figures={figures}
        heldOut={heldOut && say('studyHeldOut', { count: heldOut.pairs })}
      />
      {circuit && <NodesByRole store={store} study={study} circuit={circuit} />}
      {circuit && has('completeness') && <Completeness circuit={circuit} />}
      {circuit && <Minimality circuit={circuit} />}
    </section>
  );
}

/** What is measured of a circuit on some pairs. */
type Criteria = Pick<StudiedCircuit, 'model' | 'circuit' | 'empty' | 'unfaithfulness' | 'minimality'> & {
  readonly completeness?: StudiedCircuit['completeness'];
};

function circuitFigures(circuit: StudiedCircuit, isComplete: boolean): Figure[] {
  const { nodes, allNodes, heldOut } = circuit;
  const share = percent(nodes.length / allNodes);
  const found = criteriaOf({ ...circuit, completeness: isComplete ? circuit.completeness : undefined });
  const unseen = heldOut && criteriaOf(heldOut);
  return [
    {
      name: strings.studyNodes,
      here: say('studyNodesOf', { count: nodes.length, all: allNodes, share }),
      paper: say('studyPaperHeads', { count: paperFigures.heads }),
    },
    ...found.map((figure) => ({
      ...figure,
      heldOut: unseen?.find(({ name }) => name === figure.name)?.here,
    })),
  ];
}

function criteriaOf({ circuit, completeness, empty, minimality, model, unfaithfulness }: Criteria): Figure[] {
  const figures: Figure[] = [
    { name: strings.studyFm, here: decimal(model), paper: decimal(paperFigures.logitDifference) },
    { name: strings.studyFc, here: decimal(circuit), paper: decimal(paperFigures.circuit) },
    { name: strings.studyFe, here: decimal(empty) },
    {
      name: strings.studyUnfaithful,
      here: percent(unfaithfulness),
      paper: percent(paperFigures.unfaithfulness),
    },
  ];
  const random = completeness?.random.map(({ incompleteness }) => incompleteness) ?? [];
  if (random.length > 0) {
    figures.push(
      { name: strings.studyRandomMean, here: percent(mean(random)) },
      { name: strings.studyRandomWorst, here: percent(Math.max(...random)) },
    );
  }
  if (completeness?.greedy) {
    const { incompleteness } = completeness.greedy;
    figures.push({
      name: strings.studyGreedy,
      here: percent(incompleteness),
      paper: percent(paperFigures.greedy),
    });
  }
  if (minimality.length > 0) {
    const least = Math.min(...minimality.map(({ effect }) => effect));
    figures.push({ name: strings.studyLeast, here: percent(least), paper: percent(paperFigures.nodeEffect) });
  }
  return figures;
}

const roles = ['other', 'IO', 'S1', 'S1+1', 'S2', 'END'] as const;

function NodesByRole(props: {
  readonly store: StudyStore;
  readonly study: StudySoFar;
  readonly circuit: StudiedCircuit;
}): JSX.Element {
  const { store, study, circuit } = props;
  const classOf = (place: StudyHead): IoiHeadClass | undefined =>
    study.heads?.find(({ layer, head }) => layer === place.layer && head === place.head)?.class;
  const layers = [...new Set(circuit.nodes.map(({ layer }) => layer))].sort((a, b) => b - a);
  return (
    <>
      <h3>{strings.studyByRole}</h3>
      <div class="wide-table">
        <table class="figures by-role" aria-label={strings.studyByRole}>
          <thead>
            <tr>
              <th scope="col">{strings.studyLayer}</th>
              {roles.map((role) => (
                <th key={role} scope="col">
                  {role === 'other' ? strings.studyOther : role}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {layers.map((layer) => (
              <tr key={layer}>
                <th scope="row">{layer}</th>
                {roles.map((role) => (
                  <td key={role}>
                    {circuit.nodes
                      .filter((node) => node.layer === layer && node.role === role)
                      .map((node) => {
                        const found = classOf(node);
                        return (
                          <HeadName
                            key={studyHeadName(node)}
                            store={store}
                            place={node}
                            mark={found && classMarks[found]}
                            title={found && className(found)}
                          />
                        );
                      })}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Minimality({ circuit }: { readonly circuit: StudiedCircuit }): JSX.Element {
  const rows = [...circuit.minimality].sort((a, b) => b.effect - a.effect);
  const most = rows[0]?.effect ?? 1;
  return (
    <>
      <h3>{strings.studyMinimality}</h3>
      <p class="small quiet">{strings.studyMinimalityAbout}</p>
      <div class="minimality">
        <BarList
          label={strings.studyMinimality}
          rows={rows.map(({ node, effect, removed }) => {
            const name = studyNodeName(node);
            const names = removed.map(studyNodeName).join(', ') || strings.studyNothing;
            return {
              key: name,
              name,
              share: effect / most,
              value: percent(effect),
              label: say('studyMinimalityRow', { node: name, value: percent(effect), removed: names }),
            };
          })}
        />
      </div>
    </>
  );
}
