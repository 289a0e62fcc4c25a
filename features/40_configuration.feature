Feature: The dest has the source's config, except what the plan changes
  The guide copies the config and edits it by hand; here the difference is compared with the plan, key by key.
  A core's config is what its files, its environment and its command line say together, as the core itself weighs them.

  Scenario: The dest config differs only in the planned changes
    Given the source core's arguments and environment are known
    When the config is transferred and the planned changes are made in it
    Then the dest config differs only in the planned changes

  Scenario: Every secret is the same
    Then every secret is the same on both hosts

  Scenario: The core keeps its name, its users and their data
    Then what names the core, its users and their data is the same on both hosts

  Scenario: No forgotten override wins
    Then no other config file wins on the dest

  Scenario: Every file that the config names has arrived
    Then every file that the config names is the same on both hosts

  Scenario: Only the core can read its secrets
    Then only the core can read its secrets
