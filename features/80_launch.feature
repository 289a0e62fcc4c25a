Feature: The dest serves what the source served
  The dest core is reached by us, through its host; users are still led to the source.

  Background:
    Given the source is frozen

  Scenario: The dest core starts clean
    When the dest core is launched
    Then the dest core answers as itself
    And the dest core's status is running
    And its log shows a clean start
    And the dest core runs with the source's arguments and environment

  Scenario: Only one core runs
    Then no process of the source core runs
    And the dest core's status is running

  Scenario: The verification data set is served unchanged
    Then the dest serves the verification data set
    And the health check token is accepted by the dest and does not expire

  @probe
  Scenario: The password from before still works
    When the verification user signs in on the dest with the right password
    Then the sign-in is accepted

  @probe
  Scenario: A wrong password is still refused
    When the verification user signs in on the dest with a wrong password
    Then the sign-in is refused

  Scenario: A token that nobody has is still refused
    Then a token that nobody has is refused by the dest

  Scenario: The platform is as it was
    Then the platform is whole on the dest

  @rqlite
  Scenario: The platform's rows are those of the source
    Then the platform's database on the dest answers for certain, and is the core's own
    And the dest has every row of the platform that was there at rest
    And the platform's database on the dest is closed to the other host
