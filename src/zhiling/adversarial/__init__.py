"""Adversarial construction: generators write rows, discriminators judge them, guards say when to stop."""

BLOCKS: dict[str, str] = {
    "adversarial": "zhiling.adversarial.block:Adversarial",
}

STEPS: dict[str, str] = {
    "accept": "zhiling.adversarial.accept:Accept",
    "gan_bert": "zhiling.adversarial.generators.gan_bert:GanBert",
    "language_model": "zhiling.adversarial.generators.language_model:LanguageModelGenerator",
    "propose": "zhiling.adversarial.propose:Propose",
    "retrieve": "zhiling.adversarial.generators.retrieve:Retrieve",
}
