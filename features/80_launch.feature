Feature: The dest serves what the source served
  The dest core is reached by us, through its host; users are still led to the source.

  @door
  Scenario: The dest is closed to strangers
    When the dest's door is closed
    Then the dest's door is closed to all but us

  Scenario: What a first start does to the outside is held back
    When webhooks and certificate orders are held back on the dest
    Then the dest config differs only in the planned changes and in what is held back

  Scenario: The dest core starts clean
    Given the source is frozen
    And the dest core would start silent to the outside
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

  Scenario: Every attachment has its row and its file
    Then every attachment on the dest has its row and its file, or is amiss as on the source

  @probe
  Scenario Outline: The <credential> from before still works
    When the <credential> is shown to the dest
    Then it is let in

    Examples:
      | credential     |
      | password       |
      | personal token |
      | shared token   |
      | app token      |
      | readToken link |

  @probe
  Scenario Outline: The <credential> is still refused
    When the <credential> is shown to the dest
    Then it is refused for what it is

    Examples:
      | credential                 |
      | wrong password             |
      | unknown token              |
      | revoked token              |
      | password of a deleted user |
      | readToken link of nobody   |

  Scenario: The platform is as it was
    Then the platform's own checks find on the dest what they found on the source
    And the platform counts its users as its rows do

  @probe
  Scenario: An e-mail address still belongs to one account
    When an account with the same name and e-mail address is registered on the dest
    Then it is refused for both

  @rqlite
  Scenario: The platform's rows are those of the source
    Then the platform's database on the dest answers for certain, and is the core's own
    And the dest has every row of the platform that was there at rest
    And the platform's database on the dest is closed to the other host

  Scenario: Nobody outside has noticed the start
    Then the dest core has posted to no webhook
