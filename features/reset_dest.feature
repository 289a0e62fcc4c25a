Feature: The dest is as it was before the config arrived
  Run by name, before users are on the dest. What this run made there is cleared, so that it can arrive again.

  Scenario: What this run made on the dest is cleared
    Given users are not on the dest
    When what this run made on the dest is cleared
    Then the dest core's status is stopped
    And the dest holds no config and no data
    And every database on the dest is empty and the core's own
