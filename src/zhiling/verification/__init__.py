"""Hard truth: checks whose verdict is truth, as plain functions and as steps; usable on anyone's data."""

STEPS: dict[str, str] = {
    "answered_again": "zhiling.verification.answered_again:AnsweredAgain",
    "constraints": "zhiling.verification.constraints:Constraints",
    "code_runs": "zhiling.verification.code_runs:CodeRuns",
    "dialogue_replay": "zhiling.verification.dialogue_replay:DialogueReplay",
    "same_facts": "zhiling.verification.same_facts:SameFacts",
    "sequence_order": "zhiling.verification.sequence_order:SequenceOrder",
    "spans": "zhiling.verification.spans:Spans",
    "summary_support": "zhiling.verification.summary_support:SummarySupport",
    "tool_calls": "zhiling.verification.tool_calls:ToolCalls",
}
