Feature: What was held back is given back
  Users are on the dest. Where something was held back at the launch, its core is restarted once more, for which users wait.
  Where nothing was (no webhook is stored, no certificate is ordered), nothing is done.

  Background:
    Given the source is frozen

  Scenario: Webhooks and certificate orders work again
    When what was held back is given back
    Then the dest config differs only in the planned changes
    And the dest core was started after its config was written
    And the dest core answers as itself
    And its log shows a clean start
