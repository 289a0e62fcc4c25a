Feature: The dest serves what the source served
  The dest core is reached by us, through its host; users are still led to the source.

  Background:
    Given the source is frozen

  @door
  Scenario: The dest is closed to strangers
    When the dest's door is closed
    Then the dest's door is closed to all but us

  Scenario: What a first start does to the outside is held back
    When webhooks and certificate orders are held back on the dest
    Then the dest config differs only in the planned changes and in what is held back

  Scenario: The dest core starts clean
    Given the dest core would start silent to the outside
    When the dest core is launched
    Then the dest core answers as itself
    And its log shows a clean start
    And the dest core runs with the source's arguments and environment

  @door
  Scenario: Strangers are kept out of the dest
    Then a stranger at the dest's address is not served, and we are

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

  Scenario: Nobody outside has noticed the start
    Then the dest core has posted to no webhook
