"""Hard truth: checks whose verdict is truth, as plain functions and as steps; usable on anyone's data.

Plain functions, which need no recipe: `constraints.check` (one demand on a text), `facts.differing` (numbers,
dates, links, codes of two texts), `ngrams.support` (a summary beside its source), `places.fault` (a span),
`quotes.false_quotes`, `sequences` (order of steps), `tools.faults` (calls of tools), `replay.replay` (states
and acts of a dialogue), `sandbox.run` (programs), `agreement.agreement` (a second tagger, passed as a
function), `round_trip.disagreement` (an answer and a second reader's).
"""

STEPS: dict[str, str] = {
    "answered_again": "zhiling.verification.answered_again:AnsweredAgain",
    "chosen_again": "zhiling.verification.chosen_again:ChosenAgain",
    "constraints": "zhiling.verification.constraints:Constraints",
    "code_runs": "zhiling.verification.code_runs:CodeRuns",
    "dialogue_replay": "zhiling.verification.dialogue_replay:DialogueReplay",
    "same_facts": "zhiling.verification.same_facts:SameFacts",
    "sequence_order": "zhiling.verification.sequence_order:SequenceOrder",
    "spans": "zhiling.verification.spans:Spans",
    "summary_support": "zhiling.verification.summary_support:SummarySupport",
    "tool_calls": "zhiling.verification.tool_calls:ToolCalls",
}
