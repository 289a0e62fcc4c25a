Feature: The source serves again
  Run by name, for a move that is given up. From its first deed on nothing else continues this run.
  Before users are on the dest nothing can be lost. After that, what they wrote there is lost, and a person must accept how much.

  Scenario: No write is lost but those that a person accepts as lost
    When the dest is closed to its users
    Then no write of users on the dest is lost but those that a person accepts as lost

  @repeat
  Scenario: The dest core can do no more harm
    When the way back is begun with the dest core
    Then the dest core is stopped and does not start at boot

  @repeat
  Scenario: The source is what it was when it was stopped, or the difference is told
    When the source is measured once more
    Then every difference from what was measured at rest is told

  Scenario: The source is not frozen any more
    When the source is unfrozen
    Then the source core may start, and its role may sign in

  @by_proxy
  Scenario: The source's proxy leads to the source core, as before
    When the source's proxy is led back to the source core
    Then the source's proxy is byte for byte what it was

  Scenario: The source core runs as before
    When the source core is started again
    Then the source core's status is running
    And the source core answers as itself
    And the source core starts at boot as before

  Scenario: Every name server answers the source's address
    When the public name is pointed back at the source
    Then every name server answers the source's address

  @probe
  Scenario: Users are served by the source
    When a client writes under the public name once more
    Then the source serves what this run knows of it, under the public name too
    And the source saves its writes again, and has lost none that it was told was saved

  Scenario: The verification user is deleted, unless the plan keeps it
    When the verification user is deleted on the source
    Then the verification user is on the source only if it is kept

  @by_proxy
  Scenario: The dest trusts no other proxy any more
    When the dest's trust in the source's proxy is taken away
    Then the dest's proxy takes clients' addresses from nobody

  Scenario: The dest is as it was before this run
    When everything that this run made on the dest is removed
    Then nothing that this run made is on the dest
    And the migration key is on neither host

  Scenario: Neither host keeps anything of this run
    When the run folders are removed
    Then the source keeps nothing of this run
    And the dest keeps nothing of this run
