Feature: The dest has the source's config, except what the plan changes
  The guide copies the config and edits it by hand; here the difference is compared with the plan, key by key.

  Scenario: The dest config differs only in the planned changes
    When the config is transferred and the planned changes are made in it
    Then the dest config differs only in the planned changes

  Scenario: Every secret is the same
    Then every secret is the same on both hosts

  Scenario: No forgotten override wins
    Then no other config file wins on the dest

  Scenario: Only the core can read its secrets
    Then only the core can read its secrets
